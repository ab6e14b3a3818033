"""How things stand, read from the tables of runs and from MART. Pure: rows in, values out.

No Dagster here, so that `vp status` starts at once. Instants are UTC, seconds wall time.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel

from veracitypro_pipeline.run_summary import SUCCESS

SHOWN_RUNS: Final = 10

_TABLES_ARE_THERE: Final = """
select count(*) as tables
from information_schema.tables
where upper(table_schema) = 'MONITORING'
    and upper(table_name) in ('PIPELINE_RUN_MONITORING', 'PIPELINE_RUN_CHECK')
"""
# The limit bounds how far back "red since" looks: two months of nights.
RUNS_SHOWN: Final = """
select
    run_id,
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
# A check is red since the first run after its last green one.
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
_DATED_MARTS: Final = """
select table_name
from information_schema.columns
where upper(table_schema) = 'MART' and lower(table_name) like 'fct%' and lower(column_name) = 'date'
order by table_name
"""


# The tables keep UTC without a zone; whoever reads the answer is told.
Instant = Annotated[datetime, AfterValidator(lambda instant: instant.replace(tzinfo=UTC))]


class Run(BaseModel):
    """One run, newest first. `status` is Dagster's in lower case; `started` has not ended yet."""

    run_id: str
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
    def is_good(self) -> bool:
        return self.status == SUCCESS and not self.tests_failed


class Hop(BaseModel):
    """What one stage took in and put out; units as in `run_summary.Stage`."""

    stage: str
    rows_in: int
    rows_out: int
    rows_refused: int
    seconds: float


class RedCheck(BaseModel):
    """A check whose last evaluation is red, and the first since which it has been without a break.

    `evaluations` counts them.
    """

    check: str
    severity: str
    rows_failing: int | None
    description: str
    red_since: date | None
    red_since_run_at: Instant
    evaluations: int


class Freshness(BaseModel):
    """The newest day of a mart, and how many days it lies behind the newest as-of day run."""

    mart: str
    newest_date: date | None
    days_behind: int | None


class Status(BaseModel):
    """How things stand. `hops` are those of the newest run that has ended, `hops_of_run`."""

    as_of_date: date | None
    runs: list[Run]
    hops_of_run: str
    hops: list[Hop]
    red_checks: list[RedCheck]
    marts: list[Freshness]


# A query and its values to the names of the columns and the rows.
Ask = Callable[[str, Mapping[str, Any]], tuple[list[str], list[tuple[Any, ...]]]]


def read_status(ask: Ask) -> Status | None:
    """How things stand; None if no run has ever been recorded. `ask` queries the warehouse."""

    def rows(sql: str, **values: Any) -> list[dict[str, Any]]:
        columns, found = ask(sql, values)
        # Snowflake names columns in upper case.
        names = [column.lower() for column in columns]
        return [dict(zip(names, row, strict=True)) for row in found]

    (tables,) = rows(_TABLES_ARE_THERE)
    runs = [Run(**row) for row in rows(RUNS_SHOWN)] if tables["tables"] == 2 else []
    if not runs:
        return None
    as_of_date = max((run.as_of_date for run in runs if run.as_of_date), default=None)
    marts = [row["table_name"] for row in rows(_DATED_MARTS)]
    newest = rows(_newest_dates(marts)) if marts else []
    ended = next((run for run in runs if run.ended_at is not None), runs[0])
    return Status(
        as_of_date=as_of_date,
        runs=runs[:SHOWN_RUNS],
        hops_of_run=ended.run_id,
        hops=[Hop(**row) for row in rows(_STAGES_OF_RUN, run_id=ended.run_id)],
        red_checks=red_checks(rows(_RED_CHECKS, since=runs[-1].started_at.replace(tzinfo=None))),
        marts=[_freshness(row["mart"], row["newest_date"], as_of_date) for row in newest],
    )


def red_checks(evaluations: list[dict[str, Any]]) -> list[RedCheck]:
    """From the red evaluations since each check's last green one, oldest first, to the checks.

    Errors come before warnings, then what has been red for longest.
    """
    found: dict[str, RedCheck] = {}
    for row in evaluations:
        name = f"{row['asset']}: {row['check_name']}"
        first = found.get(name)
        found[name] = RedCheck(
            check=name,
            severity=row["severity"],
            rows_failing=row["rows_failing"],
            description=row["description"] or "",
            red_since=first.red_since if first else row["as_of_date"],
            red_since_run_at=first.red_since_run_at if first else row["started_at"],
            evaluations=first.evaluations + 1 if first else 1,
        )
    return sorted(found.values(), key=lambda red: (red.severity, red.red_since_run_at, red.check))


def _newest_dates(tables: list[str]) -> str:
    return "\nunion all\n".join(
        f"select {_text(name)} as mart, max(date) as newest_date from MART.{_identifier(name)}"  # noqa: S608 - quoted
        for name in tables
    )


def _freshness(table: str, newest: date | None, as_of_date: date | None) -> Freshness:
    behind = None if newest is None or as_of_date is None else max((as_of_date - newest).days, 0)
    return Freshness(mart=table.lower(), newest_date=newest, days_behind=behind)


def _identifier(name: str) -> str:
    """From the catalogue, but anybody can make a table."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
