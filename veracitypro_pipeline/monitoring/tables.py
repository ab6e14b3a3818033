"""The tables of runs, as SQL for both engines. Pure: values in, statements out.

`PIPELINE_RUN_MONITORING` has one row per run, `PIPELINE_RUN_CHECK` one per run and check, and the
view `PIPELINE_RUN_STAGE` unpivots the stage columns of the former to one row per run and stage.
The transform stage fills `TEST_FAILURE_ROW` with the failing rows of red dbt tests.
Instants are UTC, seconds wall time.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from veracitypro_pipeline.runs.summary import CheckResult, RunRecord
from veracitypro_pipeline.statement import Statement
from veracitypro_pipeline.transform import failing_rows

# `PIPELINE_RUN_MONITORING` has a column `<stage>_<measure>` for each stage.
_MEASURES: Final = {
    "rows_in": "bigint",
    "rows_out": "bigint",
    "rows_refused": "bigint",
    "seconds": "double",
}
# Rows per insert; each binds one value per column.
_CHECKS_A_STATEMENT: Final = 200
# A description can hold a whole list of files.
_TEXT_CHARACTERS: Final = 4_000

_RUN_COLUMNS: Final = {
    "run_id": "varchar not null",
    "job": "varchar not null",
    "as_of_date": "date",
    "status": "varchar not null",
    "started_at": "timestamp not null",
    "ended_at": "timestamp",
    "seconds": "double",
    "airbyte_job_id": "bigint",
    "records": "bigint",
    "size_bytes": "bigint",
    "files": "bigint",
    "rows_refused": "bigint",
    "tokens_spent": "bigint",
    "tests_passed": "bigint",
    "tests_warned": "bigint",
    "tests_failed": "bigint",
    "failed_step": "varchar",
    "failure": "varchar",
    "recorded_at": "timestamp not null",
}
_CHECK_COLUMNS: Final = {
    "run_id": "varchar not null",
    "asset": "varchar not null",
    "check_name": "varchar not null",
    "stage": "varchar not null",
    "severity": "varchar not null",
    "passed": "boolean not null",
    "rows_failing": "bigint",
    "description": "varchar",
}

STATUS_OF_RUNS: Final = """
select run_id, status
from MONITORING.PIPELINE_RUN_MONITORING
where started_at >= $since
"""


def create_tables(stages: Sequence[str]) -> list[Statement]:
    """Create the tables and the view that are missing."""
    rows_per_stage = "\nunion all\n".join(
        f"select run_id, as_of_date, started_at, {position} as stage_number, '{stage}' as stage, "
        + ", ".join(f"{stage}_{measure} as {measure}" for measure in _MEASURES)
        + "\nfrom MONITORING.PIPELINE_RUN_MONITORING"
        for position, stage in enumerate(stages, start=1)
    )
    return [
        Statement("create schema if not exists MONITORING"),
        _create_table("PIPELINE_RUN_MONITORING", _columns_of_run(stages)),
        _create_table("PIPELINE_RUN_CHECK", _CHECK_COLUMNS),
        failing_rows.CREATE_TABLE,
        Statement(f"create view if not exists MONITORING.PIPELINE_RUN_STAGE as\n{rows_per_stage}"),
    ]


def record_statements(record: RunRecord, recorded_at: datetime) -> list[Statement]:
    """Replace the rows of a run."""
    of_run = {"run_id": record.summary.run_id}
    checks = [_check_row(record, check) for check in record.check_results]
    return [
        Statement("delete from MONITORING.PIPELINE_RUN_MONITORING where run_id = $run_id", of_run),
        Statement("delete from MONITORING.PIPELINE_RUN_CHECK where run_id = $run_id", of_run),
        _insert(
            "PIPELINE_RUN_MONITORING",
            _columns_of_run([stage.name for stage in record.summary.stages]),
            [_run_row(record, recorded_at)],
        ),
        *(
            _insert(
                "PIPELINE_RUN_CHECK", _CHECK_COLUMNS, checks[start : start + _CHECKS_A_STATEMENT]
            )
            for start in range(0, len(checks), _CHECKS_A_STATEMENT)
        ),
    ]


def _columns_of_run(stages: Sequence[str]) -> dict[str, str]:
    return _RUN_COLUMNS | {
        f"{stage}_{measure}": kind for stage in stages for measure, kind in _MEASURES.items()
    }


def _run_row(record: RunRecord, recorded_at: datetime) -> dict[str, Any]:
    summary = record.summary
    day = summary.as_of_date
    first = summary.failures[0] if summary.failures else None
    return {
        "run_id": summary.run_id,
        "job": record.job,
        # Null for a run of no partition or of several.
        "as_of_date": date.fromisoformat(day) if day is not None else None,
        "status": summary.status,
        "started_at": _naive(record.started_at),
        "ended_at": _naive(record.ended_at),
        "seconds": summary.seconds,
        "airbyte_job_id": record.airbyte_job_id,
        "records": record.records,
        "size_bytes": record.size_bytes,
        "files": record.files,
        "rows_refused": sum(stage.rows_refused or 0 for stage in summary.stages),
        "tokens_spent": record.tokens_spent,
        "tests_passed": summary.checks.passed,
        "tests_warned": summary.checks.warned,
        "tests_failed": summary.checks.failed,
        "failed_step": first.step if first else None,
        "failure": first.reason[:_TEXT_CHARACTERS] if first else None,
        "recorded_at": _naive(recorded_at),
        **{
            f"{stage.name}_{measure}": getattr(stage, measure)
            for stage in summary.stages
            for measure in _MEASURES
        },
    }


def _check_row(record: RunRecord, check: CheckResult) -> dict[str, Any]:
    return {
        "run_id": record.summary.run_id,
        "asset": check.asset,
        "check_name": check.name,
        "stage": check.stage,
        "severity": "ERROR" if check.is_error else "WARN",
        "passed": check.passed,
        "rows_failing": check.rows_failing,
        "description": check.description[:_TEXT_CHARACTERS],
    }


def _naive(instant: datetime | None) -> datetime | None:
    """UTC without a zone, as the tables store instants."""
    return None if instant is None else instant.astimezone(UTC).replace(tzinfo=None)


def _create_table(name: str, columns: Mapping[str, str]) -> Statement:
    lines = ",\n".join(f"    {column} {kind}" for column, kind in columns.items())
    return Statement(f"create table if not exists MONITORING.{name} (\n{lines}\n)")


def _insert(name: str, kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Statement:
    """Casts each value, because a bound null has no type; VALUES would not allow casts."""
    columns = list(rows[0])
    selects = "\nunion all\n".join(
        "select "
        + ", ".join(
            f"cast(${column}_{number} as {kinds[column].removesuffix(' not null')})"
            for column in columns
        )
        for number in range(len(rows))
    )
    return Statement(
        f"insert into MONITORING.{name} ({', '.join(columns)})\n{selects}", dict(_numbered(rows))
    )


def _numbered(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for number, row in enumerate(rows):
        for column, value in row.items():
            yield f"{column}_{number}", value
