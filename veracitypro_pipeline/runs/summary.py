"""What a run did, as `vp run` prints it, Slack says it and MONITORING keeps it. Pure values.

How it is read from Dagster's events is in `events.py`. Seconds are wall time, instants UTC.
"""

from datetime import datetime
from typing import Final

from pydantic import BaseModel

SUCCESS: Final = "success"
CANCELED: Final = "canceled"
# The name under which dbt's events and artifacts carry the id of our run.
DBT_RUN_ID: Final = "RUN_ID"
# In place of a job, of a run that executed checks and materialized nothing.
CHECKS_ALONE: Final = "checks alone"

# What a stage's rows are, in and out, for a reader who meets the table for the first time.
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

    `not_run` are those that the run meant to evaluate and did not come to.
    """

    passed: int = 0
    warned: int = 0
    failed: int = 0
    not_run: int = 0

    @property
    def run(self) -> int:
        return self.passed + self.warned + self.failed

    def __str__(self) -> str:
        """In words, e.g. `78 passed, 1 warned`."""
        counts = self.model_dump().items()
        said = [f"{count} {outcome.replace('_', ' ')}" for outcome, count in counts if count]
        return ", ".join(said) or "none"


class Stage(BaseModel):
    """One stage of the run: one that was done has counts, one that was begun has seconds.

    Units: records, lines and rows up to STG's own count of records; from CORE on, rows of tables
    (CORE reads the points of STG).
    """

    name: str
    rows_in: int | None = None
    rows_out: int | None = None
    rows_refused: int | None = None
    seconds: float | None = None
    checks: CheckCounts


# What people are told of a red check, by its severity as Dagster and MONITORING name it.
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
    """Why a step failed, in one sentence or as short as its error allows.

    `stage` is the first that the step stands for; empty where the run failed outside of a step.
    """

    step: str
    reason: str
    stage: str = ""


class RunSummary(BaseModel):
    """One run. `status` is Dagster's in lower case; `success` is the only good one.

    `as_of_date` is the newest day that the run is for, and nearly always its only one;
    `first_as_of_date` is the oldest. Of checks that are executed alone it is the day they judge.
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
        """The day or days that the run is for, in words."""
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
    """The last evaluation of one check in one run. `rows_failing` is known of dbt tests only."""

    asset: str
    stage: str
    name: str
    is_error: bool
    passed: bool
    rows_failing: int | None
    description: str


class RunRecord(BaseModel):
    """A run in full, as it is kept. `ended_at` is None while the run goes on.

    What the run did not come to is None: the Airbyte job that served it, the records that the job
    read, bytes and number of the files it left in S3, the Keepa tokens that the run spent.
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
    """A count as people read it; a dash for what the run did not count."""
    return "–" if count is None else f"{count:,}"


def timed(seconds: float | None) -> str:
    """The same of seconds."""
    return "–" if seconds is None else f"{seconds:,.1f}"
