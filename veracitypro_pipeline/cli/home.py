"""`vp down` stops the local stack, `vp reset` also deletes its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from filelock import Timeout

from veracitypro_pipeline.cli.instance import is_held
from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.home import CONTENTS, DAGSTER_FOLDERS, MARK_FILE, delete, is_home
from veracitypro_pipeline.local.stack.lifecycle import stop_stack
from veracitypro_pipeline.run_lock import no_run_in_progress
from veracitypro_pipeline.settings import Settings


@click.command()
@common_options
def down() -> None:
    """Stop the local stack; its data stays."""
    home = Settings.load().home_dir
    with _no_run_in_progress(home):
        was_running = stop_stack(home)
    click.echo(f"The local stack of {home} {'is stopped' if was_running else 'was not running'}.")


@click.command(short_help="Delete all local state, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def reset(yes: bool) -> None:
    """Stop the local stack and delete all local state: warehouse, S3 objects, runs."""
    home = Settings.load().home_dir
    if not home.exists() or not any(home.iterdir()):
        click.echo(f"There is nothing at {home}.")
        return
    if not is_home(home):
        raise CannotDo(
            f"{home} lacks the file {MARK_FILE}, which marks a home made by `vp`: delete the folder"
            " yourself if it is local state, or name the right one with --home."
        )
    foreign = sorted({entry.name for entry in home.iterdir()} - CONTENTS)
    if foreign:
        raise CannotDo(
            f"{home} also holds {', '.join(foreign)}, which does not belong to this project:"
            " move that away, or name the right folder with --home."
        )
    for instance in DAGSTER_FOLDERS:
        if is_held(home / instance):
            raise CannotDo(
                f"`vp dev` shows the runs in {home / instance}: end it with Ctrl+C, then try again."
            )
    if not yes:
        click.confirm(f"Delete the local state in {home}?", abort=True)
    with _no_run_in_progress(home):
        stop_stack(home)
        # The mark is deleted last, so that an interrupted reset can be repeated.
        for entry in sorted(CONTENTS, key=lambda name: name == MARK_FILE):
            delete(home / entry)
    home.rmdir()
    click.echo(f"The local state in {home} is deleted.")


@contextmanager
def _no_run_in_progress(home: Path) -> Iterator[None]:
    """Hold the run lock, so that no run loses its services or its warehouse.

    Raises:
        CannotDo: a run is in progress.
    """
    try:
        with no_run_in_progress(home):
            yield
    except Timeout:
        raise CannotDo(
            f"A run is in progress in {home}: wait for its end, or stop it with Ctrl+C or in the"
            " Dagster UI, then try again."
        ) from None
