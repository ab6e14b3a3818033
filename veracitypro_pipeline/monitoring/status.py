"""The state of the pipeline, read from the tables of runs and from MART. Pure: rows in, values out.

It does not import Dagster, so `vp status` starts fast. Instants are UTC, seconds wall time.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel

from veracitypro_pipeline.runs.summary import (
    CHECKS_ALONE,
    OUTCOMES,
    SUCCESS,
    CheckCounts,
)
from veracitypro_pipeline.service_levels import MARTS, Freshness, freshness, newest_days
from veracitypro_pipeline.statement import Query

SHOWN_RUNS: Final = 10
# The status of a run in progress.
STARTED: Final = "started"

# The ledger is missing if no run has reached the load, its column of arrivals in an older
# warehouse.
_EXISTING_TABLES: Final = """
select
    count(distinct case when upper(table_name) like 'PIPELINE_RUN_%' then table_name end)
        as tables,
    count(case when upper(column_name) = 'ARRIVED_AT' then 1 end) as arrivals
from information_schema.columns
where upper(table_schema) = 'MONITORING'
    and upper(table_name) in ('PIPELINE_RUN_MONITORING', 'PIPELINE_RUN_CHECK', 'LOAD_LEDGER')
"""
# "Red since" looks back over these runs only: two months of nights.
RUNS_SHOWN: Final = """
select
    run_id,
    job,
    as_of_date,
    status,
    started_at,
    ended_at,
    seconds,
    records,
    rows_refused,
    tokens_spent,
    tests_passed,
    tests_warned,
    tests_failed,
    failed_step,
    failure
from MONITORING.PIPELINE_RUN_MONITORING
order by started_at desc
limit 60
"""
_STAGES_OF_RUN: Final = """
select stage, rows_in, rows_out, rows_refused, seconds
from MONITORING.PIPELINE_RUN_STAGE
where run_id = $run_id
order by stage_number
"""
# A check is red since the first red run after its last green one.
_RED_CHECKS: Final = """
with evaluations as (
    select
        checks.asset,
        checks.check_name,
        checks.severity,
        checks.passed,
        checks.rows_failing,
        checks.description,
        runs.as_of_date,
        runs.started_at
    from MONITORING.PIPELINE_RUN_CHECK as checks
    inner join MONITORING.PIPELINE_RUN_MONITORING as runs on checks.run_id = runs.run_id
    where runs.started_at >= $since
),
green as (
    select asset, check_name, max(started_at) as last_at
    from evaluations
    where passed
    group by asset, check_name
)
select
    evaluations.asset,
    evaluations.check_name,
    evaluations.severity,
    evaluations.rows_failing,
    evaluations.description,
    evaluations.as_of_date,
    evaluations.started_at
from evaluations
left join green
    on evaluations.asset = green.asset and evaluations.check_name = green.check_name
where not evaluations.passed
    and (green.last_at is null or evaluations.started_at > green.last_at)
order by evaluations.asset, evaluations.check_name, evaluations.started_at
"""
# Files that reached S3 only after the first run of their day had ended.
_LATE_FILES: Final = """
with first_runs as (
    select as_of_date, min(ended_at) as ended_at
    from MONITORING.PIPELINE_RUN_MONITORING
    group by as_of_date
)
select
    ledger.source_file,
    ledger.as_of_date,
    ledger.lines,
    ledger.arrived_at,
    ledger.loaded_at
from MONITORING.LOAD_LEDGER as ledger
inner join first_runs on ledger.as_of_date = first_runs.as_of_date
where ledger.arrived_at > first_runs.ended_at and ledger.arrived_at >= $since
order by ledger.arrived_at desc, ledger.source_file
"""
_EXISTING_MARTS: Final = """
select lower(table_name) as mart
from information_schema.tables
where upper(table_schema) = 'MART'
"""


# The tables store UTC without a zone.
Instant = Annotated[datetime, AfterValidator(lambda instant: instant.replace(tzinfo=UTC))]


class Run(BaseModel):
    """One row of PIPELINE_RUN_MONITORING; `status` is Dagster's in lower case."""

    run_id: str
    job: str = ""
    as_of_date: date | None
    status: str
    started_at: Instant
    ended_at: Instant | None
    seconds: float | None
    records: int | None
    rows_refused: int | None
    tokens_spent: int | None
    tests_passed: int
    tests_warned: int
    tests_failed: int
    failed_step: str | None
    failure: str | None

    @property
    def are_checks_alone(self) -> bool:
        return self.job == CHECKS_ALONE

    @property
    def is_good(self) -> bool:
        return self.status == SUCCESS and not self.tests_failed

    @property
    def checks(self) -> CheckCounts:
        """Outcomes of the checks that ran."""
        return CheckCounts(
            passed=self.tests_passed, warned=self.tests_warned, failed=self.tests_failed
        )


class StageRow(BaseModel):
    """One row of PIPELINE_RUN_STAGE; units as in `runs.summary.Stage`."""

    stage: str
    rows_in: int | None
    rows_out: int | None
    rows_refused: int | None
    seconds: float | None


class LastingRedCheck(BaseModel):
    """A check that is red now, with the start and the length of its unbroken red streak."""

    check: str
    severity: str
    rows_failing: int | None
    description: str
    red_since: date | None
    red_since_run_at: Instant
    evaluations: int

    @property
    def outcome(self) -> str:
        return OUTCOMES[self.severity]


class LateFile(BaseModel):
    """A file that arrived after the first run of its day had ended; a later run loaded it."""

    source_file: str
    as_of_date: date
    lines: int
    arrived_at: Instant
    loaded_at: Instant


class Status(BaseModel):
    """The state of the pipeline; its fields are the contract of `vp status --json`.

    `runs` are the newest first. `hops` are the stages of the run `hops_of_run`: the newest that has
    ended, other than of checks alone. Marts are compared with `as_of_date`, the newest day that was
    run or is due. `late_files` arrived since the oldest of `runs`.
    """

    as_of_date: date | None
    runs: list[Run]
    hops_of_run: str
    hops: list[StageRow]
    red_checks: list[LastingRedCheck]
    marts: list[Freshness]
    late_files: list[LateFile]


def read_status(query: Query, due: date | None = None) -> Status | None:
    """The state of the pipeline; None if no run has been recorded.

    `due` is the newest day whose batch must be done by now, if there is a deadline.
    """

    def rows(sql: str, **values: Any) -> list[dict[str, Any]]:
        columns, found = query(sql, values)
        # Snowflake names columns in upper case.
        names = [column.lower() for column in columns]
        return [dict(zip(names, row, strict=True)) for row in found]

    (tables,) = rows(_EXISTING_TABLES)
    runs = [Run(**row) for row in rows(RUNS_SHOWN)] if tables["tables"] == 2 else []
    if not runs:
        return None
    days = [*(run.as_of_date for run in runs), due]
    as_of_date = max((day for day in days if day is not None), default=None)
    there = sorted(MARTS.keys() & {row["mart"] for row in rows(_EXISTING_MARTS)})
    nights = [run for run in runs if not run.are_checks_alone] or runs
    ended = next((run for run in nights if run.ended_at is not None), nights[0])
    since = runs[:SHOWN_RUNS][-1].started_at.replace(tzinfo=None)
    late = rows(_LATE_FILES, since=since) if tables["arrivals"] else []
    return Status(
        as_of_date=as_of_date,
        runs=runs[:SHOWN_RUNS],
        hops_of_run=ended.run_id,
        hops=[StageRow(**row) for row in rows(_STAGES_OF_RUN, run_id=ended.run_id)],
        red_checks=red_checks(rows(_RED_CHECKS, since=runs[-1].started_at.replace(tzinfo=None))),
        marts=freshness(rows(newest_days(there)), as_of_date) if there and as_of_date else [],
        late_files=[LateFile(**row) for row in late],
    )


def red_checks(evaluations: list[dict[str, Any]]) -> list[LastingRedCheck]:
    """One value per check from its rows of `_RED_CHECKS`, oldest first.

    Errors come before warnings, longer streaks before shorter ones.
    """
    found: dict[str, LastingRedCheck] = {}
    for row in evaluations:
        name = f"{row['asset']}: {row['check_name']}"
        first = found.get(name)
        found[name] = LastingRedCheck(
            check=name,
            severity=row["severity"],
            rows_failing=row["rows_failing"],
            description=row["description"] or "",
            red_since=first.red_since if first else row["as_of_date"],
            red_since_run_at=first.red_since_run_at if first else row["started_at"],
            evaluations=first.evaluations + 1 if first else 1,
        )
    return sorted(found.values(), key=lambda red: (red.severity, red.red_since_run_at, red.check))
