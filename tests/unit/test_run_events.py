"""The summary of real runs of small graphs, as `vp run` and Slack show it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.runs.events import run_summary
from veracitypro_pipeline.runs.summary import RunSummary
from veracitypro_pipeline.step_guard import final_when_interrupted

RAW_ROWS = {"rows_in": 10, "rows_out": 9, "rows_refused": 1}


def summary_of(assets: list[Any], checks: list[Any] | None = None, **options: Any) -> RunSummary:
    defs = dg.Definitions(assets=assets, asset_checks=checks or [])
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False, **options)
        return run_summary(instance, result.run_id)


@dg.asset(key=["raw", "keepa_raw"])
def keepa_raw() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata=RAW_ROWS)


def test_counts_come_from_the_metadata_of_assets_and_checks() -> None:
    @dg.asset_check(asset=["raw", "keepa_raw"])
    def counted() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True, metadata={"mart_rows_in": 7, "mart_rows_out": 8})

    summary = summary_of([keepa_raw], [counted])

    stages = {stage.name: stage for stage in summary.stages}
    assert stages["raw"].model_dump(include=set(RAW_ROWS)) == RAW_ROWS
    assert (stages["mart"].rows_in, stages["mart"].rows_out) == (7, 8)
    assert stages["core"].rows_in is None
    assert stages["core"].seconds is None
    assert stages["raw"].checks.passed == summary.checks.passed == 1
    assert stages["raw"].seconds
    assert summary.is_good


def test_counts_of_a_stage_are_the_sum_over_its_assets_and_checks() -> None:
    """Two sources have two tables in RAW, and each may have a check that counts."""

    @dg.asset(key=["raw", "sp_api_inventory"])
    def sp_api_inventory() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"rows_in": 5, "rows_out": 5, "rows_refused": 0})

    def counting(asset: list[str], refused: int) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=asset, name="refusals_are_few")
        def check() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=True, metadata={"core_rows_refused": refused})

        return check

    summary = summary_of(
        [keepa_raw, sp_api_inventory],
        [counting(["raw", "keepa_raw"], 2), counting(["raw", "sp_api_inventory"], 3)],
    )

    stages = {stage.name: stage for stage in summary.stages}
    assert stages["raw"].model_dump(include=set(RAW_ROWS)) == {
        "rows_in": 15,
        "rows_out": 14,
        "rows_refused": 1,
    }
    assert stages["core"].rows_refused == 5


def test_an_asset_materialized_twice_counts_once() -> None:
    @dg.op(out={"result": dg.Out()})
    def loads_twice(context: dg.OpExecutionContext) -> None:
        for rows in (7, 9):
            context.log_event(
                dg.AssetMaterialization(["raw", "keepa_raw"], metadata={"rows_out": rows})
            )

    @dg.job
    def twice() -> None:
        loads_twice()

    with dg.DagsterInstance.ephemeral() as instance:
        summary = run_summary(instance, twice.execute_in_process(instance=instance).run_id)
    assert [stage.rows_out for stage in summary.stages if stage.name == "raw"] == [9]


@pytest.mark.parametrize("key", [["scraperapi", "search"], ["report"], ["airbytes", "x"]])
def test_an_asset_without_a_stage_is_not_counted(key: list[str]) -> None:
    """A foreign asset in the run: its checks and its failure still count."""

    @dg.asset(key=key)
    def foreign() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={**RAW_ROWS, "Execution Duration": 3.0})

    @dg.asset_check(asset=key, blocking=True)
    def is_there() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="It is not.")

    summary = summary_of([keepa_raw, foreign], [is_there])

    stages = {stage.name: stage for stage in summary.stages}
    assert [stage.name for stage in summary.stages if stage.rows_in is not None] == ["raw"]
    assert stages["raw"].rows_in == 10
    assert summary.checks.failed == 1
    assert sum(stage.checks.failed for stage in summary.stages) == 0
    (failure,) = summary.failures
    assert (failure.stage, failure.reason) == ("", "is_there: It is not.")


@pytest.mark.parametrize(
    ("severity", "good", "warned", "failed"),
    [(dg.AssetCheckSeverity.WARN, True, 1, 0), (dg.AssetCheckSeverity.ERROR, False, 0, 1)],
)
def test_a_red_check_of_severity_error_makes_a_run_bad(
    severity: dg.AssetCheckSeverity, good: bool, warned: int, failed: int
) -> None:
    @dg.asset_check(asset=["raw", "keepa_raw"])
    def red() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=severity, description="9 are not 10")

    summary = summary_of([keepa_raw], [red])

    assert summary.is_good is good
    assert (summary.checks.warned, summary.checks.failed) == (warned, failed)
    (check,) = summary.red_checks
    assert (check.name, check.description) == ("raw/keepa_raw: red", "9 are not 10")


def test_a_successful_run_without_the_result_of_a_check_is_not_good() -> None:
    """Whatever the cause. Here the asset yields nothing, so Dagster skips its check."""

    @dg.multi_asset(specs=[dg.AssetSpec(["stg", "fetches"], skippable=True)])
    def silent() -> Iterator[dg.MaterializeResult[None]]:
        yield from ()

    @dg.asset_check(asset=["stg", "fetches"], blocking=True)
    def refusals_are_few() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    summary = summary_of([silent, keepa_raw], [refusals_are_few])

    assert summary.status == "success"
    assert not summary.is_good
    assert str(summary.checks) == "1 failed"
    (check,) = summary.red_checks
    assert (check.name, check.is_error) == ("stg/fetches: refusals_are_few", True)
    assert "has no result" in check.description


def test_a_stage_is_finished_started_or_not_reached_and_so_are_its_checks() -> None:
    @dg.asset(key=["landing", "files"])
    def broken() -> None:
        raise PermanentFailure("S3 is away.")

    @dg.asset(key=["raw", "keepa_raw"], deps=[broken])
    def never() -> None: ...

    @dg.asset_check(asset=["raw", "keepa_raw"])
    def lines_are_json() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.asset(key=["airbyte", "keepa"])
    def sync() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata=RAW_ROWS)

    @dg.asset_check(asset=["airbyte", "keepa"])
    def sync_succeeded() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    summary = summary_of([sync, broken, never], [sync_succeeded, lines_are_json])

    stages = {stage.name: stage for stage in summary.stages}
    assert (stages["ingest"].rows_in, stages["landing"].rows_in, stages["raw"].rows_in) == (
        10,
        None,
        None,
    )
    assert stages["ingest"].seconds
    assert stages["landing"].seconds
    assert stages["raw"].seconds is None
    assert str(stages["raw"].checks) == "1 not run"
    assert str(summary.checks) == "1 passed, 1 not run"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermanentFailure("Airbyte refused."), "Airbyte refused."),
        (TransientFailure("S3 is away."), "S3 is away."),
        (KeyError("lines"), "KeyError: 'lines'"),
    ],
)
def test_a_failed_step_is_shown_with_its_own_message(error: Exception, reason: str) -> None:
    @dg.asset(key=["landing", "broken"])
    def broken() -> None:
        raise error

    summary = summary_of([broken])

    assert summary.status == "failure"
    assert not summary.is_good
    (failure,) = summary.failures
    assert (failure.step, failure.reason) == ("landing__broken", reason)


def test_a_step_that_a_blocking_check_failed_has_its_description() -> None:
    @dg.asset_check(asset=["raw", "keepa_raw"], blocking=True)
    def lines_are_json() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="9 of 10 lines are refused.")

    (failure,) = summary_of([keepa_raw], [lines_are_json]).failures
    assert failure.reason == "lines_are_json: 9 of 10 lines are refused."


def test_a_resource_that_cannot_be_created_is_the_reason_of_the_run() -> None:
    @dg.resource
    def away() -> None:
        raise PermanentFailure("The stack does not start: call vp down.")

    @dg.asset(key=["raw", "needy"], required_resource_keys={"away"})
    def needy() -> None: ...

    defs = dg.Definitions(assets=[needy], resources={"away": away})
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, raise_on_error=False
        )
        summary = run_summary(instance, result.run_id)
    (failure,) = summary.failures
    assert failure.reason == "The stack does not start: call vp down."


def test_a_transient_failure_is_retried_and_a_permanent_one_is_not() -> None:
    tries: dict[str, int] = {"passing": 0, "lasting": 0}
    twice = dg.RetryPolicy(max_retries=2)

    @dg.asset(key=["raw", "passing"], retry_policy=twice)
    def passing() -> None:
        tries["passing"] += 1
        if tries["passing"] < 3:
            raise TransientFailure("Not yet.")

    @dg.asset(key=["raw", "lasting"], retry_policy=twice)
    def lasting() -> None:
        tries["lasting"] += 1
        raise PermanentFailure("Never.")

    assert summary_of([passing]).is_good
    assert not summary_of([lasting]).is_good
    assert tries == {"passing": 3, "lasting": 1}


@pytest.mark.parametrize(
    ("error", "tag"),
    [
        (PermanentFailure("Never."), "0"),
        (TransientFailure("Not yet."), None),
        (KeyError("lines"), None),
    ],
)
def test_a_permanent_failure_ends_the_retries_of_the_run(error: Exception, tag: str | None) -> None:
    """The run-retry daemon reads the run's tags, never the exception."""

    @dg.asset(key=["raw", "broken"])
    @final_when_interrupted
    def broken() -> None:
        raise error

    @dg.asset(key=["raw", "sound"])
    @final_when_interrupted
    def sound() -> None: ...

    job = dg.Definitions(assets=[broken, sound]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.tags.get("dagster/max_retries") == tag


def test_an_unknown_run_is_an_error() -> None:
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(LookupError, match="no run x"):
        run_summary(instance, "x")
