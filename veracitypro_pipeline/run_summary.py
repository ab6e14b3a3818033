"""What a run did, as `vp run` prints it and Slack says it. Pure values.

How it is read from Dagster's events is in `run_events.py`. Seconds are wall time.
"""

from typing import Final

from pydantic import BaseModel

SUCCESS: Final = "success"


class CheckCounts(BaseModel):
    """Checks by outcome; `failed` are red ones of severity ERROR, `warned` all other red ones."""

    passed: int = 0
    warned: int = 0
    failed: int = 0


class Stage(BaseModel):
    """One stage of the run. A count that the run did not come to is 0.

    Units: records, lines and rows up to STG's own count of records; from CORE on, rows of tables
    (CORE reads the points of STG).
    """

    name: str
    rows_in: int = 0
    rows_out: int = 0
    rows_refused: int = 0
    seconds: float = 0.0
    checks: CheckCounts


class RedCheck(BaseModel):
    """A check that did not pass."""

    name: str
    is_error: bool
    description: str


class StepFailure(BaseModel):
    """Why a step failed, in one sentence or as short as its error allows."""

    step: str
    reason: str


class RunSummary(BaseModel):
    """One run. `status` is Dagster's in lower case; `success` is the only good one."""

    run_id: str
    as_of_date: str | None
    status: str
    seconds: float
    stages: list[Stage]
    checks: CheckCounts
    red_checks: list[RedCheck]
    failures: list[StepFailure]

    @property
    def is_good(self) -> bool:
        """The run succeeded and no check of severity ERROR is red."""
        return self.status == SUCCESS and not self.checks.failed
