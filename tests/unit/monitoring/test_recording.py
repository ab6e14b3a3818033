"""The tables of runs: one row per run, however it ended and whichever process recorded it."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
import sqlglot

from tests.support.monitoring import Monitoring
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring.sensors import runs_are_recorded
from veracitypro_pipeline.monitoring.tables import (
    STATUS_OF_RUNS,
    create_tables,
    record_statements,
)
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.runs.events import run_record
from veracitypro_pipeline.statement import Statement, positional


@dg.asset(key=["airbyte", "keepa", "product_raw"], partitions_def=daily_as_of)
def sync() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        metadata={"job_id": 7, "rows_in": 3, "rows_out": 3, "tokens_spent": 12}
    )


@dg.asset(key=["landing", "keepa", "product_raw"], deps=[sync], partitions_def=daily_as_of)
def landing() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        metadata={"rows_in": 3, "rows_out": 3, "rows_refused": 0, "bytes": 900, "file_count": 2}
    )


@dg.asset(key=["raw", "keepa_raw"], deps=[landing], partitions_def=daily_as_of)
def raw() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows_in": 3, "rows_out": 2, "rows_refused": 1})


@dg.asset_check(asset=raw)
def lines_are_json() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="1 of 3 lines is refused."
    )


@dg.asset_check(asset=raw)
def a_dbt_test() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"dagster_dbt/failed_row_count": 5},
    )


@dg.asset(key=["landing", "keepa", "product_raw"], deps=[sync], partitions_def=daily_as_of)
def broken_landing() -> None:
    raise dg.Failure("S3 rejected the listing.")


def test_a_run_is_one_row_with_what_it_moved_and_spent(monitoring: Monitoring) -> None:
    run_id = monitoring.run(sync, landing, raw, checks=[lines_are_json, a_dbt_test])

    assert monitoring.record()

    row = monitoring.row(run_id)
    expected = {
        "as_of_date": date(2026, 1, 31),
        "status": "success",
        "airbyte_job_id": 7,
        "records": 3,
        "size_bytes": 900,
        "files": 2,
        "tokens_spent": 12,
        "raw_rows_in": 3,
        "raw_rows_out": 2,
        "raw_rows_refused": 1,
        "rows_refused": 1,
        "tests_passed": 0,
        "tests_warned": 1,
        "tests_failed": 1,
        "failure": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["raw_seconds"] > 0
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now - timedelta(minutes=1) < row["started_at"] < row["ended_at"] < now


def test_checks_and_stages_have_rows_of_their_own(monitoring: Monitoring) -> None:
    monitoring.run(sync, landing, raw, checks=[lines_are_json, a_dbt_test])
    monitoring.record()

    assert monitoring.warehouse.query(
        "select check_name, asset, stage, severity, passed, rows_failing, description"
        " from MONITORING.PIPELINE_RUN_CHECK order by check_name"
    ).rows == [
        ("a_dbt_test", "raw/keepa_raw", "raw", "ERROR", False, 5, ""),
        (
            "lines_are_json",
            "raw/keepa_raw",
            "raw",
            "WARN",
            False,
            None,
            "1 of 3 lines is refused.",
        ),
    ]
    stages = monitoring.warehouse.query(
        "select stage, rows_out from MONITORING.PIPELINE_RUN_STAGE order by stage_number"
    ).rows
    assert [stage for stage, _ in stages] == list(STAGES)
    assert stages[:3] == [("ingest", 3), ("landing", 3), ("raw", 2)]


def test_a_failed_run_is_recorded_with_its_first_failure_and_its_counts(
    monitoring: Monitoring,
) -> None:
    run_id = monitoring.run(sync, broken_landing)
    monitoring.record()

    row = monitoring.row(run_id)
    assert (row["status"], row["records"], row["files"]) == ("failure", 3, None)
    assert row["failed_step"] == "landing__keepa__product_raw"
    assert row["failure"] == "S3 rejected the listing."


def test_a_killed_run_is_recorded_from_its_start_and_ends_at_its_last_event(
    monitoring: Monitoring,
) -> None:
    run_id = monitoring.killed_run(sync)
    monitoring.record()
    row = monitoring.row(run_id)
    assert (row["status"], row["ended_at"]) == ("started", None)

    monitoring.close_killed(run_id)
    monitoring.record()

    row = monitoring.row(run_id)
    assert (row["status"], row["failed_step"]) == ("failure", "run")
    assert row["failure"] == "The process of this run was killed."
    assert row["ended_at"] == row["started_at"]
    assert monitoring.count() == 1


def test_the_next_call_writes_what_could_not_be_written(
    monitoring: Monitoring, caplog: pytest.LogCaptureFixture
) -> None:
    """A file is in the place of the warehouse's folder."""
    monitoring.path.parent.write_text("in the way")
    first = monitoring.run(sync)
    assert not monitoring.record()
    assert "the next run records them" in caplog.text

    monitoring.path.parent.unlink()
    second = monitoring.run(sync)
    assert monitoring.record()

    assert {monitoring.row(run_id)["status"] for run_id in (first, second)} == {"success"}


def test_a_run_that_cannot_be_read_does_not_stop_the_others(
    monitoring: Monitoring, caplog: pytest.LogCaptureFixture
) -> None:
    @dg.asset(key=["raw", "of_another_project"])
    def foreign() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows_in": "several"})

    job = dg.Definitions(assets=[foreign]).resolve_implicit_global_asset_job_def()
    unreadable = job.execute_in_process(instance=monitoring.instance).run_id
    run_id = monitoring.run(sync)

    assert monitoring.record()
    assert monitoring.row(run_id)["status"] == "success"
    assert f"events of run {unreadable} cannot be read" in caplog.text


def test_recording_again_changes_nothing(monitoring: Monitoring) -> None:
    run_id = monitoring.run(sync, raw, checks=[a_dbt_test])
    monitoring.record()
    row = monitoring.row(run_id)

    monitoring.record()
    assert monitoring.row(run_id) == row

    again = record_statements(run_record(monitoring.instance, run_id), row["recorded_at"])
    monitoring.warehouse.transact(again)
    assert monitoring.count() == 1


def tick(monitoring: Monitoring, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(
        instance=monitoring.instance,
        cursor=cursor,
        resources={"warehouse": monitoring.warehouse},
    ) as context:
        outcome = runs_are_recorded(context)
    assert isinstance(outcome, dg.SensorResult | dg.SkipReason)
    return outcome


def test_the_sensor_queries_the_warehouse_only_after_a_run_has_changed(
    monitoring: Monitoring,
) -> None:
    assert isinstance(tick(monitoring, None), dg.SkipReason)
    assert not monitoring.path.exists()
    run_id = monitoring.run(sync)

    monitoring.path.parent.write_text("in the way")
    assert isinstance(tick(monitoring, None), dg.SkipReason)
    monitoring.path.parent.unlink()
    ticked = tick(monitoring, None)

    assert isinstance(ticked, dg.SensorResult)
    assert monitoring.row(run_id)["status"] == "success"
    assert isinstance(tick(monitoring, ticked.cursor), dg.SkipReason)


def test_rejected_rows_are_retried_only_after_the_next_run(
    monitoring: Monitoring,
) -> None:
    """A retry at each tick would wake the warehouse."""
    monitoring.run(sync)
    monitoring.record()
    monitoring.warehouse.transact(
        [Statement("alter table MONITORING.PIPELINE_RUN_MONITORING drop column records")]
    )
    run_id = monitoring.run(sync)

    rejected = tick(monitoring, None)
    assert isinstance(rejected, dg.SensorResult)
    assert "rejects" in str(rejected.skip_reason)
    assert tick(monitoring, rejected.cursor) == dg.SkipReason("No run has changed.")
    monitoring.warehouse.transact(
        [Statement("alter table MONITORING.PIPELINE_RUN_MONITORING add column records bigint")]
    )
    monitoring.run(sync)
    tick(monitoring, rejected.cursor)
    assert monitoring.row(run_id)["status"] == "success"


def test_every_statement_is_also_valid_on_snowflake(monitoring: Monitoring) -> None:
    run_id = monitoring.run(sync, raw, checks=[a_dbt_test])
    statements = [
        *create_tables(STAGES),
        *record_statements(run_record(monitoring.instance, run_id), datetime.now(UTC)),
    ]
    assert len(statements) == 9
    for sql in [STATUS_OF_RUNS, *(statement.sql for statement in statements)]:
        assert sqlglot.parse_one(sql, dialect="snowflake").sql(dialect="snowflake")
    for statement in statements[-2:]:
        inserted = sqlglot.parse_one(positional(statement)[0], dialect="snowflake")
        # Values may be null, and a bound null has no type.
        bound = list(inserted.find_all(sqlglot.exp.Placeholder))
        assert len(bound) == len(statement.values) >= 8
        assert all(isinstance(one.parent, sqlglot.exp.Cast) for one in bound)
        assert not inserted.find(sqlglot.exp.Values)
