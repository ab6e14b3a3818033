"""The queries of the page about the pipeline, in SQL of both engines. Pure.

Instants are UTC, seconds wall time; `runs.summary.ROWS_ARE` defines the rows of each stage.
"""

from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from veracitypro_pipeline.monitoring.status import RUNS_SHOWN, Run
from veracitypro_pipeline.statement import Statement

SHOWN_REFUSALS: Final = 200
# Characters of a refused text, which may be a whole line.
SHOWN_CHARACTERS: Final = 300

# Relations that may not exist before the first run.
TABLES: Final = Statement("""
select upper(table_schema) as table_schema, upper(table_name) as table_name
from information_schema.tables
where upper(table_schema) in ('STG', 'MART', 'MONITORING')
""")

# The runs of `vp status`: two months of nights, which fit one chart.
RUNS: Final = Statement(RUNS_SHOWN)

REFUSALS_BY_REASON: Final = Statement("""
select
    reason,
    scope,
    count(*) as refusals,
    count(distinct source_file) as files,
    min(as_of_date) as first_day,
    max(as_of_date) as last_day
from STG.STG_KEEPA_QUARANTINE
group by reason, scope
order by refusals desc, reason, scope
""")

_STAGES_OF_RUNS: Final = """
select
    run_id,
    stage_number,
    stage,
    rows_in,
    rows_out,
    rows_refused,
    seconds
from MONITORING.PIPELINE_RUN_STAGE
where started_at >= $since
order by started_at, run_id, stage_number
"""
_RED_CHECKS_OF_RUN: Final = """
select asset, check_name, severity, rows_failing, description
from MONITORING.PIPELINE_RUN_CHECK
where run_id = $run_id and not passed
order by severity, asset, check_name
"""
_EVALUATIONS: Final = """
select
    runs.run_id,
    runs.as_of_date,
    runs.started_at,
    checks.severity,
    checks.passed,
    checks.rows_failing,
    checks.description
from MONITORING.PIPELINE_RUN_CHECK as checks
inner join MONITORING.PIPELINE_RUN_MONITORING as runs on checks.run_id = runs.run_id
where checks.asset = $asset and checks.check_name = $check_name and runs.started_at >= $since
order by runs.started_at desc
"""
_FAILING_ROWS: Final = """
select failing_row
from MONITORING.TEST_FAILURE_ROW
where run_id = $run_id and check_name = $check_name
order by row_number
"""
_REFUSALS: Final = f"""
select
    as_of_date,
    series,
    position,
    substr(raw_text, 1, {SHOWN_CHARACTERS}) as refused_text,
    source_file,
    file_row_number
from STG.STG_KEEPA_QUARANTINE
where reason = $reason and scope = $scope
order by as_of_date desc, source_file, file_row_number, series, position
limit {SHOWN_REFUSALS}
"""  # noqa: S608 - constants of this module


def stages_of_runs(since: datetime) -> Statement:
    """The stages of all runs started at `since` or later, oldest run first."""
    return Statement(_STAGES_OF_RUNS, {"since": _naive(since)})


def red_checks_of_run(run_id: str) -> Statement:
    """Checks that did not pass in a run; errors before warnings."""
    return Statement(_RED_CHECKS_OF_RUN, {"run_id": run_id})


def evaluations_of_check(asset: str, check_name: str, since: datetime) -> Statement:
    """The evaluations of a check in runs from `since` on, newest first."""
    return Statement(
        _EVALUATIONS, {"asset": asset, "check_name": check_name, "since": _naive(since)}
    )


def failing_rows(run_id: str, check_name: str) -> Statement:
    """The stored failing rows of a dbt test in a run, as JSON."""
    return Statement(_FAILING_ROWS, {"run_id": run_id, "check_name": check_name})


def refusals(reason: str, scope: str) -> Statement:
    """The newest rows of the quarantine with a reason, with the start of their refused text."""
    return Statement(_REFUSALS, {"reason": reason, "scope": scope})


def unexplained(stages: list[dict[str, Any]]) -> list[int | None]:
    """For each stage, rows out of the stage before minus its rows in; 0 is correct.

    None for the first stage, for CORE, which counts points and not records, and for stages that the
    run did not finish.
    """
    differences: list[int | None] = []
    for before, stage in pairwise([{"rows_out": None}, *stages]):
        put_out, taken_in = before["rows_out"], stage["rows_in"]
        comparable = stage["stage"] != "core" and put_out is not None and taken_in is not None
        differences.append(put_out - taken_in if comparable else None)
    return differences


def name_of_run(run: Run) -> str:
    """The name of a run on the page: its day, its start and its status."""
    day = run.as_of_date or "no partition"
    what = f"{run.job}: " if run.are_checks_alone else ""
    return f"{day}, started {run.started_at:%Y-%m-%d %H:%M}: {what}{run.status}"


def _naive(instant: datetime) -> datetime:
    """UTC without a zone, as the tables store instants."""
    return instant.replace(tzinfo=None)
