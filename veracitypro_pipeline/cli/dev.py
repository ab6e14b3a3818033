"""`vp dev`: the stack, and `dagster dev` on the home's instance."""

import os
import sys

import click

from veracitypro_pipeline.cli.instance import (
    dagster_instance,
    hold_instance,
    prepare_dagster_home,
)
from veracitypro_pipeline.cli.main import common_options, say
from veracitypro_pipeline.cli.ports import HOST, usable_port
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings


@click.command(short_help="Start the local stack and `dagster dev`, the Dagster UI.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=3000,
    show_default=True,
    help="Port of the Dagster UI.",
)
@common_options
def dev(port: int) -> None:
    """Start the local stack and `dagster dev`. Ctrl+C ends Dagster, `vp down` the stack."""
    usable_port(port)
    settings = Settings.load()
    prepare_dagster_home(settings)
    hold_instance(settings.dagster_home)
    if settings.environment == "local":
        _prepare_stack(settings)
    click.echo(f"Dagster is starting at http://{HOST}:{port}", err=True)
    # `dagster dev` warns that `dg dev` supersedes it.
    python = [sys.executable, "-W", "ignore:Function `dev_command` is superseded"]
    command = ["-m", "dagster", "dev", "-w", str(REPOSITORY_DIR / "workspace.yaml")]
    # Dagster replaces this process, so Ctrl+C reaches it and it can end its children.
    os.execv(sys.executable, [*python, *command, "-h", HOST, "-p", str(port)])  # noqa: S606


def _prepare_stack(settings: Settings) -> None:
    """Start the stack, and record the end of runs whose process is gone."""
    from veracitypro_pipeline.cli.run_ends import close_silent_runs
    from veracitypro_pipeline.local.stack.run_settings import started_stack
    from veracitypro_pipeline.run_lock import run_lock_of

    started_stack(settings, say)
    with dagster_instance(settings) as instance:
        close_silent_runs(instance, run_lock_of(settings.home_dir))
