"""The summary and the record of a run, for `vp run`, Slack and MONITORING. Pure values.

`events.py` reads them from Dagster's events. Seconds are wall time, instants UTC.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel

SUCCESS: Final = "success"
CANCELED: Final = "canceled"
# The name of our run's id in dbt's events and artifacts.
DBT_RUN_ID: Final = "RUN_ID"
# The job name of a run that executed checks and materialized nothing.
CHECKS_ALONE: Final = "checks alone"

# What the rows of each stage are, for a first-time reader of the table.
ROWS_ARE: Final = {
    "ingest": "records Airbyte read",
    "landing": "lines in S3",
    "raw": "rows in RAW",
    "stg": "records accepted",
    "core": "points in, daily rows out",
    "mart": "rows for reports",
    "bi": "rows offered to Power BI",
}


class CheckCounts(BaseModel):
    """Checks by outcome; `failed` are red ones of severity ERROR, `warned` all other red ones.

    `not_run` are checks that the run planned and did not reach.
    """

    passed: int = 0
    warned: int = 0
    failed: int = 0
    not_run: int = 0

    @property
    def run(self) -> int:
        return self.passed + self.warned + self.failed

    def __str__(self) -> str:
        """As text, e.g. `78 passed, 1 warned`."""
        counts = self.model_dump().items()
        parts = [f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts if count]
        return ", ".join(parts) or "none"


class Stage(BaseModel):
    """One stage of a run. Counts are None until it has finished, seconds until it has started.

    Rows are records (or lines) up to STG; CORE reads points and writes rows of tables, MART and BI
    read and write rows of tables.
    """

    name: str
    rows_in: int | None = None
    rows_out: int | None = None
    rows_refused: int | None = None
    seconds: float | None = None
    checks: CheckCounts


# The printed outcome of a red check, by its severity in Dagster and MONITORING.
OUTCOMES: Final = {"WARN": "warned", "ERROR": "failed"}


class RedCheck(BaseModel):
    """A check that did not pass."""

    name: str
    is_error: bool
    description: str

    @property
    def outcome(self) -> str:
        return OUTCOMES["ERROR" if self.is_error else "WARN"]


class StepFailure(BaseModel):
    """A failed step with its reason, in one sentence if possible.

    `stage` is the first stage of the step; empty if the run failed outside of a step.
    """

    step: str
    reason: str
    stage: str = ""


class RunSummary(BaseModel):
    """One run; its fields are the contract of `vp run --json`. `status` is Dagster's in lower case.

    `as_of_date` is the newest day of the run, nearly always the only one, and `first_as_of_date`
    the oldest. For checks executed alone it is the day that they judge.
    """

    run_id: str
    as_of_date: str | None
    first_as_of_date: str | None = None
    are_checks_alone: bool = False
    status: str
    seconds: float
    stages: list[Stage]
    checks: CheckCounts
    red_checks: list[RedCheck]
    failures: list[StepFailure]

    @property
    def days(self) -> str:
        """The day or days of the run, as text."""
        if self.as_of_date is None:
            return "no partition"
        if self.first_as_of_date in (None, self.as_of_date):
            return self.as_of_date
        return f"{self.first_as_of_date} to {self.as_of_date}"

    @property
    def is_good(self) -> bool:
        """The run succeeded and no check of severity ERROR is red."""
        return self.status == SUCCESS and not self.checks.failed


class CheckResult(BaseModel):
    """The last evaluation of a check in a run. Only dbt tests have `rows_failing`."""

    asset: str
    stage: str
    name: str
    is_error: bool
    passed: bool
    rows_failing: int | None
    description: str


class RunRecord(BaseModel):
    """A run as MONITORING stores it. `ended_at` is None while it is in progress.

    `records` are those that the Airbyte job read, `files` and `size_bytes` those of its files in
    S3, `tokens_spent` Keepa's. Each is None if the run did not get that far.
    """

    summary: RunSummary
    job: str
    started_at: datetime
    ended_at: datetime | None
    airbyte_job_id: int | None = None
    records: int | None = None
    size_bytes: int | None = None
    files: int | None = None
    tokens_spent: int | None = None
    models_built: int = 0
    check_results: list[CheckResult]


def counted(count: int | None) -> str:
    """The count with thousands separators; a dash for None."""
    return "–" if count is None else f"{count:,}"


def timed(seconds: float | None) -> str:
    """The same for seconds, with one decimal."""
    return "–" if seconds is None else f"{seconds:,.1f}"
