"""What a person sees of a run: which stage is at work, and the table at its end.

Progress goes to standard error, and moves only on a terminal; the table goes to standard output.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.status import Status
from rich.table import Table
from rich.text import Text

from veracitypro_pipeline.cli import stopping
from veracitypro_pipeline.cli.tables import without_spare
from veracitypro_pipeline.cli.terminal import Screen, output
from veracitypro_pipeline.lineage import STAGES, stage_of
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.run_events import retry_reason
from veracitypro_pipeline.run_summary import CANCELED, ROWS_ARE, RunSummary, counted, timed

if TYPE_CHECKING:
    import dagster as dg


class Progress:
    """Says what is going on; silent where nobody looks."""

    def __init__(self, console: Screen | None) -> None:
        self._console = console
        self._status: Status | None = None
        self._stages_seen: set[str] = set()
        self._started_at = time.monotonic()

    def say(self, text: str) -> None:
        """One line about what happens now."""
        if self._status is not None:
            self._status.update(Text(text))
        elif self._console is not None:
            seconds = time.monotonic() - self._started_at
            line = f"{seconds:6.1f} s  {text}"
            self._console.print(line, soft_wrap=True)

    def say_day(self, text: str) -> None:
        """The same at the beginning of a run, whose stages are then all to come."""
        self._stages_seen.clear()
        self.say(text)

    def on_event(self, entry: "dg.EventLogEntry") -> None:
        """Follow a run's events: the stage that is at work, models as they are built, retries."""
        import dagster as dg

        event = entry.dagster_event
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            if stage := stage_of(event.asset_key):
                self._on_stage(stage, event.asset_key.to_user_string())
        elif event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
            self.say(f"{event.step_key} is tried again: {retry_reason(event)}")

    def _on_stage(self, stage: str, asset: str) -> None:
        if self._status is not None:
            done = STAGES.index(stage) + 1
            self._status.update(Text(f"[{done}/{len(STAGES)}] {stage}: {asset} is there"))
        elif stage not in self._stages_seen:
            self.say(f"{stage}: {asset} is there")
        self._stages_seen.add(stage)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the moving line away, to print something that stays."""
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
    """The table of a run and, below it, all that is red."""
    console = output()
    console.print(without_spare(console, _table(summary), ["rows are"]))
    for check in summary.red_checks:
        colour = "red" if check.is_error else "yellow"
        runbook = runbooks.file_of(runbooks.of_check(check.name))
        said = f"{check.name} {check.outcome}: {check.description} ({runbook})"
        console.print(Text(said, style=colour))
    for failure in summary.failures if summary.status != CANCELED else ():
        told = [check.description for check in summary.red_checks if check.description]
        if not any(description in failure.reason for description in told):
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
        return f"The run is not good: what failed stands above, what to do in {runbook}."
    names = [check.name.rpartition(": ")[2] for check in summary.red_checks]
    if not names:
        return "All is well."
    warnings = "1 warning" if len(names) == 1 else f"{len(names)} warnings"
    return f"Done, with {warnings}: {', '.join(names)}."


def _table(summary: RunSummary) -> Table:
    table = Table(title=f"VeracityPro, as of {summary.as_of_date}: {summary.status}")
    table.add_column("stage")
    for column in ("rows in", "rows out", "refused", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("checks", justify="right")
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
