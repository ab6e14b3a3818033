"""`vp dev`: the stack and Dagster's own development server, on the home's instance."""

import os
import sys

import click
from filelock import Timeout

from veracitypro_pipeline.cli.instance import (
    bury_dead_runs,
    dagster_instance,
    hold_instance,
    prepare_dagster_home,
)
from veracitypro_pipeline.cli.main import common_options, say
from veracitypro_pipeline.cli.ports import HOST, port_at_hand
from veracitypro_pipeline.settings import Settings


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
    command = ["dagster", "dev", "-m", "veracitypro_pipeline.definitions"]
    # In place of this process, so that Ctrl+C reaches Dagster, which has children to end.
    os.execv(sys.executable, [sys.executable, "-m", *command, "-h", HOST, "-p", str(port)])  # noqa: S606


def _prepare_stack(settings: Settings) -> None:
    """Start it, and clear away runs that nobody carries out any more."""
    from veracitypro_pipeline.local.run_settings import started_stack
    from veracitypro_pipeline.local.stack import run_place

    started_stack(settings, say)
    try:
        with (
            run_place(settings.home_dir).acquire(timeout=0),
            dagster_instance(settings) as instance,
        ):
            bury_dead_runs(instance, of_vp_run_only=False)
    except Timeout:
        return  # Somebody is at work, so nothing is known to be dead.
