"""`vp dev`: the stack and Dagster's own development server, on the home's instance."""

import os
import sys

import click

from veracitypro_pipeline.cli.instance import (
    dagster_instance,
    hold_instance,
    prepare_dagster_home,
)
from veracitypro_pipeline.cli.main import common_options, say
from veracitypro_pipeline.cli.ports import HOST, port_at_hand
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
    """Start the local stack and `dagster dev`; Ctrl+C ends the latter, `vp down` the stack."""
    port_at_hand(port)
    settings = Settings.load()
    prepare_dagster_home(settings)
    hold_instance(settings.dagster_home)
    if settings.environment == "local":
        _prepare_stack(settings)
    click.echo(f"Dagster comes up at http://{HOST}:{port}", err=True)
    # The command points to `dg dev`, which is of another package.
    python = [sys.executable, "-W", "ignore:Function `dev_command` is superseded"]
    command = ["-m", "dagster", "dev", "-w", str(REPOSITORY_DIR / "workspace.yaml")]
    # In place of this process, so that Ctrl+C reaches Dagster, which has children to end.
    os.execv(sys.executable, [*python, *command, "-h", HOST, "-p", str(port)])  # noqa: S606


def _prepare_stack(settings: Settings) -> None:
    """Start it, and clear away runs that nobody carries out any more."""
    from veracitypro_pipeline.cli.run_ends import bury_when_silent
    from veracitypro_pipeline.local.stack.run_settings import started_stack
    from veracitypro_pipeline.run_lock import run_place

    started_stack(settings, say)
    with dagster_instance(settings) as instance:
        bury_when_silent(instance, run_place(settings.home_dir))
