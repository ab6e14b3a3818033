"""Prints a run: its progress, stage by stage, and the table at its end.

Progress goes to standard error, as a moving line on a terminal; the table goes to standard output.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.status import Status
from rich.table import Table
from rich.text import Text

from veracitypro_pipeline.cli import stopping
from veracitypro_pipeline.cli.tables import in_parts
from veracitypro_pipeline.cli.terminal import Screen, output
from veracitypro_pipeline.lineage import STAGES, stage_of
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.runs.events import retry_reason
from veracitypro_pipeline.runs.summary import (
    CANCELED,
    ROWS_ARE,
    RunSummary,
    counted,
    timed,
)

if TYPE_CHECKING:
    import dagster as dg


class Progress:
    """Prints what happens now; nothing without a console."""

    def __init__(self, console: Screen | None) -> None:
        self._console = console
        self._status: Status | None = None
        self._reset()
        self._started_at = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line about what happens now."""
        if self._status is not None:
            self._status.update(Text(text))
        elif self._console is not None:
            seconds = time.monotonic() - self._started_at
            line = f"{seconds:6.1f} s  {text}"
            self._console.print(line, soft_wrap=True)

    def say_day(self, text: str) -> None:
        """The same at the start of a run, none of whose assets is materialized yet."""
        self._reset()
        self.say(text)

    def _reset(self) -> None:
        # By stage, the assets that the run will materialize, and those that it has materialized.
        self._planned: dict[str, set[str]] = {stage: set() for stage in STAGES}
        self._made: dict[str, set[str]] = {stage: set() for stage in STAGES}
        self._open = list(STAGES)

    def on_event(self, entry: "dg.EventLogEntry") -> None:
        """Handle a run's events: assets planned and materialized, and retries."""
        import dagster as dg

        event = entry.dagster_event
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
            self.say(f"{event.step_key} is retried: {retry_reason(event)}")
        elif event.asset_key and (stage := stage_of(event.asset_key)):
            asset = event.asset_key.to_user_string()
            if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                self._planned[stage].add(asset)
            elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
                self._made[stage].add(asset)
                self._on_made(asset)

    def _on_made(self, asset: str) -> None:
        """Print each finished stage, in order: dbt may build a table of a later stage before an
        earlier stage is finished."""
        if self._status is not None:
            counts = [
                f"{stage} {len(self._made[stage])}/{len(planned)}"
                for stage, planned in self._planned.items()
                if planned and (self._made[stage] and self._made[stage] < planned)
            ]
            self._status.update(Text(", ".join([*counts, f"{asset} is built"])))
        while self._open and self._made[self._open[0]] >= self._planned[self._open[0]]:
            stage = self._open.pop(0)
            count = len(self._planned[stage])
            if self._status is None and count:
                (one, *more) = self._planned[stage]
                self.say(
                    f"{stage}: " + (f"all {count} tables are" if more else f"{one} is") + " done"
                )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hide the moving line while something else is printed."""
        if self._status is not None:
            self._status.stop()
        yield
        if self._status is not None:
            self._status.start()


@contextmanager
def shown_progress(*, quiet: bool) -> Iterator[Progress]:
    """Progress on standard error: a moving line on a terminal, a line per stage elsewhere."""
    if quiet:
        yield Progress(None)
        return
    console = Screen(stderr=True)
    progress = Progress(console)
    if not console.is_terminal:
        yield progress
        return
    with console.status("") as status:
        progress._status = status
        yield progress


def print_summary(summary: RunSummary) -> None:
    """Print the table of a run and, below it, all that is red."""
    console = output()
    for part in in_parts(console, _table(summary), ["rows are"]):
        console.print(part)
    for check in summary.red_checks:
        colour = "red" if check.is_error else "yellow"
        runbook = runbooks.file_of(runbooks.of_check(check.name))
        line = f"{check.name} {check.outcome}: {check.description} ({runbook})"
        console.print(Text(line, style=colour))
    for failure in summary.failures if summary.status != CANCELED else ():
        printed = [check.description for check in summary.red_checks if check.description]
        if not any(description in failure.reason for description in printed):
            console.print(Text(f"{failure.step}: {failure.reason}", style="red"))
    console.print(
        f"{_verdict(summary)} {summary.as_of_date} took {summary.seconds:.1f} s; checks:"
        f" {summary.checks}; run {summary.run_id}"
    )


def _verdict(summary: RunSummary) -> str:
    if summary.status == CANCELED:
        by = "you" if stopping.name() == "Ctrl+C" else stopping.name()
        return f"Stopped by {by}; nothing is half written; run it again."
    if not summary.is_good:
        runbook = runbooks.file_of(runbooks.of_failure(summary))
        return f"The run is not good: the failures are above, the next steps in {runbook}."
    names = Counter(check.name.rpartition(": ")[2] for check in summary.red_checks)
    if not names:
        return "All is well."
    warnings = "1 warning" if names.total() == 1 else f"{names.total()} warnings"
    listed = [name if count == 1 else f"{name} ({count} tables)" for name, count in names.items()]
    return f"Done, with {warnings}: {', '.join(listed)}."


def _table(summary: RunSummary) -> Table:
    table = Table(title=f"VeracityPro, as of {summary.as_of_date}: {summary.status}")
    table.add_column("stage", no_wrap=True)
    for column in ("rows in", "rows out", "refused", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("checks", justify="right", no_wrap=True)
    table.add_column("rows are")
    for stage in summary.stages:
        table.add_row(
            stage.name,
            counted(stage.rows_in),
            counted(stage.rows_out),
            counted(stage.rows_refused),
            timed(stage.seconds),
            str(stage.checks),
            ROWS_ARE[stage.name],
        )
    return table
