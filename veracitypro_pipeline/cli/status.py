"""`vp status`: the last runs, the stages of the newest, red checks, freshness."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from veracitypro_pipeline.cli.main import CannotDo, common_options, say
from veracitypro_pipeline.monitoring.status import STARTED, Status, read_status
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.resources.warehouse.factory import open_warehouse, warehouse_name
from veracitypro_pipeline.runs.summary import (
    CANCELED,
    counted,
    timed,
)
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

# Styles of runs that are not good; all others are red.
_STYLES: Final = {STARTED: None, "unknown": None, CANCELED: "yellow"}


@click.command(short_help="Show the last runs, what is red, how fresh MART is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def status(as_json: bool) -> None:
    """Show the last runs, the newest stage by stage, what is red since when, and how fresh MART is.

    Reads MONITORING and MART, and Dagster's instance for a run whose end is not recorded. Instants
    are UTC. The exit code is 0 whatever the state of the runs; that of `vp run`
    shows it.
    """
    settings = Settings.load()
    # With the pipeline's role, because readers of MART may lack rights on MONITORING.
    warehouse = open_warehouse(settings, {"app": "vp status"}, is_reader=True, say=say)
    found = read_status(
        lambda sql, values: warehouse.query(sql, values or None),
        settings.day_due(datetime.now(UTC)),
    )
    if found is None:
        raise CannotDo("No run is recorded in MONITORING yet: `vp run` makes one.")
    _complete_unfinished(found, settings)
    if as_json:
        from veracitypro_pipeline.cli.terminal import shown_json

        click.echo(shown_json(found.model_dump_json(indent=1)))
    else:
        _print(found, settings)


def _complete_unfinished(found: Status, settings: Settings) -> None:
    """Fill in ends that the home's Dagster instance knows and MONITORING does not yet."""
    unfinished = [run for run in found.runs if run.status == STARTED]
    if unfinished and settings.environment == "local":
        from veracitypro_pipeline.cli.run_ends import complete

        complete(unfinished, settings)


def _print(found: Status, settings: Settings) -> None:
    from veracitypro_pipeline.cli.terminal import output

    console = output()
    # Printed first, because it may not be the environment that the reader expects.
    console.print(f"Environment {settings.environment}: {warehouse_name(settings)}", soft_wrap=True)
    _print_runs(console, found)
    _print_stages(console, found)
    _print_marts(console, found)
    _print_red(console, found)


def _print_runs(console: "Console", found: Status) -> None:
    from rich.table import Table

    from veracitypro_pipeline.cli.tables import in_parts

    table = Table(title="The last runs, newest first (UTC)")
    for column in ("as-of day", "started", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("seconds", "records", "refused", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("checks", justify="right", no_wrap=True)
    for run in found.runs:
        table.add_row(
            str(run.as_of_date or "none"),
            _minute(run.started_at),
            f"{run.status} ({run.job})" if run.are_checks_alone else run.status,
            timed(run.seconds),
            counted(run.records),
            counted(run.rows_refused),
            counted(run.tokens_spent),
            str(run.checks),
            style=_STYLES.get(run.status, "red") if not run.is_good else None,
        )
    for part in in_parts(console, table, ["records", "refused", "tokens"], keys=2):
        console.print(part)


def _print_stages(console: "Console", found: Status) -> None:
    from rich.table import Table

    run = next((run for run in found.runs if run.run_id == found.hops_of_run), found.runs[0])
    table = Table(title=f"Stage by stage, {run.as_of_date or 'no partition'}: {run.status}")
    table.add_column("stage")
    for column in ("rows in", "rows out", "refused", "seconds"):
        table.add_column(column, justify="right")
    for stage in found.hops:
        table.add_row(
            stage.stage,
            counted(stage.rows_in),
            counted(stage.rows_out),
            counted(stage.rows_refused),
            timed(stage.seconds),
        )
    console.print(table)


def _print_marts(console: "Console", found: Status) -> None:
    from rich.table import Table

    table = Table(title=f"How fresh MART is, as of {found.as_of_date}")
    table.add_column("mart")
    table.add_column("newest day")
    table.add_column("days behind", justify="right")
    for mart in found.marts:
        table.add_row(
            mart.mart,
            str(mart.newest_date or "empty"),
            counted(mart.days_behind),
            style="yellow" if mart.is_late else None,
        )
    console.print(table)
    for mart in found.marts:
        if mart.filled_if:
            console.print(f"{mart.mart} is empty: it has rows only if {mart.filled_if}.")


def _print_red(console: "Console", found: Status) -> None:
    from rich.text import Text

    last = next((run for run in found.runs if not run.are_checks_alone), found.runs[0])
    if last.failure:
        step = f" at {last.failed_step}" if last.failed_step else ""
        style = _STYLES.get(last.status, "red")
        console.print(Text(f"The last run ended{step}: {last.failure}", style=style or ""))
    for red in found.red_checks:
        times = "once" if red.evaluations == 1 else f"{red.evaluations} times in a row"
        console.print(
            Text(
                f"{red.check} {red.outcome}, since {red.red_since or _minute(red.red_since_run_at)}"
                f" ({times}): {red.description}"
                f" ({runbooks.file_of(runbooks.of_check(red.check))})",
                style="red" if red.severity == "ERROR" else "yellow",
            )
        )
    if last.status == STARTED:
        console.print("A run is in progress.")
    for file in found.late_files:
        console.print(
            f"{file.source_file} arrived after the first run of {file.as_of_date}, at"
            f" {_minute(file.arrived_at)}; its {file.lines:,} lines were loaded at"
            f" {_minute(file.loaded_at)}."
        )
    late = [mart.mart for mart in found.marts if mart.is_late]
    if late:
        console.print(Text(f"Late: {', '.join(late)}.", style="yellow"))
    elif last.is_good and not found.red_checks:
        console.print("All is well.")


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
