"""The Power BI stage against the stand-in: it follows its own refresh to every possible end."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from tests.support.settings import StateInMemory, fixed
from veracitypro_pipeline.bi.assets import REFRESHED, RefreshConfig, build_assets
from veracitypro_pipeline.bi.checks import dataset_is_current
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.services.powerbi import Refreshes, create_powerbi_app
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.stage_values.refresh import RefreshReport
from veracitypro_pipeline.statement import Statement

OWN = Credentials()
DAY = "2026-01-31"


class Night:
    """The stage on a warehouse with one mart of three rows."""

    def __init__(self, url: str, folder: Path, refreshes: Refreshes) -> None:
        self.refreshes = refreshes
        self.state_store = StateInMemory()
        self.land(DAY)
        statements = [
            "create schema MART",
            "create table MART.DIM_PRODUCT as select unnest(range(3)) as asin",
        ]
        with DuckDBWarehouse(folder / "dwh.duckdb").transaction() as transaction:
            for statement in statements:
                transaction.run(Statement(statement))
        self.settings = Settings.load(
            warehouse_file=folder / "dwh.duckdb",
            powerbi_api_url=f"{url}/v1.0/myorg",
            powerbi_authority_url=url,
            powerbi_tenant_id=OWN.powerbi_tenant_id,
            powerbi_client_id=OWN.powerbi_client_id,
            powerbi_client_secret=SecretStr(OWN.powerbi_client_secret),
            powerbi_workspace_id=OWN.powerbi_workspace_id,
            powerbi_dataset_id=OWN.powerbi_dataset_id,
            powerbi_poll_seconds=0.01,
            powerbi_timeout_seconds=5.0,
        )

    def land(self, day: str) -> None:
        self.state_store.kept[f"landing/keepa/product_raw/{day}"] = LandingManifest(
            as_of_date=date.fromisoformat(day), job_id=1, records_reported=0, files=()
        )

    def change(self, sql: str) -> None:
        with duckdb.connect(str(self.settings.warehouse_path)) as connection:
            connection.execute(sql)

    def materialize(
        self, *, force: bool = False, day: str = DAY, **changes: Any
    ) -> dg.MaterializeResult[RefreshReport]:
        of_run = fixed(self.settings.model_copy(update=changes))
        (asset,) = build_assets(dg.RetryPolicy(), [])
        result = asset(
            dg.build_asset_context(partition_key=day),
            config=RefreshConfig(force=force),
            powerbi=PowerBIResource(settings=of_run),
            warehouse=WarehouseResource(settings=of_run),
            state_store=self.state_store,
        )
        assert isinstance(result, dg.MaterializeResult)
        return result

    def refresh(self, **changes: Any) -> RefreshReport:
        report: RefreshReport = self.materialize(**changes).value
        return report

    def check(self, report: RefreshReport) -> dg.AssetCheckResult:
        result = dataset_is_current(report, powerbi=PowerBIResource(settings=fixed(self.settings)))
        assert isinstance(result, dg.AssetCheckResult)
        return result


@pytest.fixture
def night(serve: Callable[[Starlette], str], tmp_path: Path) -> Night:
    refreshes = Refreshes(tmp_path / "refreshes.json", lambda: datetime.now(UTC), seconds=0.05)
    url = serve(create_powerbi_app(credentials=OWN, refreshes=refreshes))
    return Night(url, tmp_path, refreshes)


def test_a_refresh_is_followed_to_its_end_and_is_then_current(night: Night) -> None:
    report = night.refresh()
    assert report.rows == 3
    assert [entry["requestId"] for entry in night.refreshes.newest(5)] == [report.request_id]
    assert night.check(report).passed


def test_a_day_without_a_landing_manifest_is_rejected(night: Night) -> None:
    with pytest.raises(PermanentFailure, match=r"^No files have been landed for 2025-12-24, "):
        night.refresh(day="2025-12-24")
    assert night.refreshes.newest(5) == []


def test_an_undocumented_status_is_reported_and_fails_no_run(night: Night) -> None:
    report = night.refresh()
    night.refreshes._kept[-1]["outcome"] = "Postponed"
    result = night.check(report)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "'Postponed'" in (result.description or "")


def test_a_retry_follows_the_refresh_that_the_first_try_started(night: Night) -> None:
    first = night.refresh()
    assert night.refresh().request_id == first.request_id
    night.state_store.of_another_run()
    assert night.refresh(force=True).request_id != first.request_id


def test_a_refresh_whose_run_was_killed_before_its_claim_only_delays_the_next_try(
    night: Night,
) -> None:
    """Power BI runs one at a time. It is unknown what that one read, so ours follows it."""
    night.refreshes.seconds = 60
    PowerBIResource(settings=fixed(night.settings)).client().start_refresh()
    with pytest.raises(TransientFailure, match="still running another refresh"):
        night.refresh()

    night.refreshes.seconds = 0
    night.refreshes._kept[-1]["over_at"] = 0.0  # It is over.
    assert night.check(night.refresh()).passed
    assert len(night.refreshes.newest(5)) == 2


def test_a_run_killed_before_it_recorded_its_refresh_refreshes_again(night: Night) -> None:
    first = night.refresh()
    night.state_store.of_another_run()
    del night.state_store.kept[REFRESHED]
    assert night.refresh().request_id != first.request_id


def test_a_run_that_changes_no_mart_refreshes_nothing_and_reports_it(night: Night) -> None:
    first = night.refresh()
    night.state_store.of_another_run()
    result = night.materialize()
    second = result.value
    assert second.request_id == first.request_id
    assert second.skipped == (
        f"No mart has changed since refresh {first.request_id}, which the run of {DAY} started."
    )
    assert (result.metadata or {})["skipped"] == second.skipped
    assert len(night.refreshes.newest(5)) == 1

    checked = night.check(second)
    assert checked.passed
    assert str(checked.description).startswith("No mart has changed since refresh")
    assert "skipped" not in (night.materialize(force=True).metadata or {})


ANOTHER_PRODUCT = "insert into MART.DIM_PRODUCT values (3)"


@pytest.mark.parametrize(
    ("sql", "mart"),
    [
        (ANOTHER_PRODUCT, "dim_product"),
        ("update MART.DIM_PRODUCT set asin = 7 where asin = 1", "dim_product"),
        ("create table MART.FCT_RANK as select 1 as sales_rank", "fct_rank"),
    ],
)
def test_a_changed_mart_is_refreshed_and_named(night: Night, sql: str, mart: str) -> None:
    first = night.refresh()
    night.state_store.of_another_run()
    night.change(sql)
    second = night.materialize()
    assert second.value.skipped is None
    assert second.value.request_id != first.request_id
    assert (second.metadata or {})["changed_marts"] == [mart]


def test_a_mart_rebuilt_with_the_same_rows_is_not_a_change(night: Night) -> None:
    """Every run of dbt rebuilds marts, with rows in any order."""
    night.refresh()
    night.state_store.of_another_run()
    night.change(
        "create or replace table MART.DIM_PRODUCT as"
        " select asin from MART.DIM_PRODUCT order by asin desc"
    )
    assert night.refresh().skipped is not None


def test_a_mart_that_changed_during_a_refresh_is_refreshed_by_the_next_run(
    night: Night,
) -> None:
    """A try times out, another run changes a mart, and then the next try ends."""
    night.refreshes.seconds = 0.4
    with pytest.raises(TransientFailure, match="POWERBI_TIMEOUT_SECONDS"):
        night.refresh(powerbi_timeout_seconds=0.05)
    night.change(ANOTHER_PRODUCT)
    first = night.refresh()
    night.state_store.of_another_run()
    second = night.refresh()
    assert (second.skipped, second.request_id == first.request_id) == (None, False)


def test_nothing_is_skipped_after_a_refresh_that_failed(night: Night) -> None:
    """Ours or another: the content of the dataset is then unknown, and the check warns."""
    night.refresh()
    night.state_store.of_another_run()
    night.refreshes.outcome, night.refreshes.seconds = "Failed", 0.0
    night.refreshes.start()
    with pytest.raises(TransientFailure, match="ModelRefreshFailed_Rehearsed"):
        night.refresh()
    night.refreshes.outcome = "Completed"
    assert night.refresh().skipped is None


def test_the_check_of_a_skipped_run_is_still_correct(night: Night) -> None:
    night.refresh()
    night.state_store.of_another_run()
    report = night.refresh()
    assert report.skipped is not None
    night.refreshes.outcome, night.refreshes.seconds = "Failed", 0.0
    night.refreshes.start()
    assert not night.check(report).passed


def test_a_refresh_that_power_bi_forgot_is_started_again(night: Night) -> None:
    first = night.refresh()
    night.state_store.of_another_run()
    night.state_store.kept = {
        name: value.model_copy(update={"request_id": "forgotten"})
        for name, value in night.state_store.kept.items()
    }
    assert night.refresh().request_id not in (first.request_id, "forgotten")


def test_a_refresh_above_the_daily_limit_is_rejected_with_a_sentence(night: Night) -> None:
    """Refreshes of others count too; Power BI would reject the next one."""
    started = datetime.now(UTC)
    night.refreshes.seconds = 0.0
    for _ in range(7):
        night.refreshes.start()
    assert night.refresh().skipped is None  # The eighth.
    night.change(ANOTHER_PRODUCT)
    night.state_store.of_another_run()
    with pytest.raises(PermanentFailure, match="refreshed 8 times within 24 hours") as refusal:
        night.refresh()
    again = started + timedelta(days=1)
    said = str(refusal.value.description)
    assert "POWERBI_DAILY_REFRESHES" in said
    assert any(f"{again + late:%Y-%m-%d %H:%M} UTC" in said for late in map(minutes, range(2)))
    assert len(night.refreshes.newest(20)) == 8
    assert night.refresh(powerbi_daily_refreshes=48).skipped is None


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def test_a_later_refresh_that_failed_makes_the_check_warn(night: Night) -> None:
    report = night.refresh()
    night.refreshes.outcome, night.refreshes.seconds = "Failed", 0.0
    night.refreshes.start()
    result = night.check(report)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN


def test_a_refresh_missing_from_the_history_makes_the_check_warn(night: Night) -> None:
    report = night.refresh().model_copy(update={"request_id": "another"})
    assert not night.check(report).passed


def test_a_failed_refresh_may_be_started_again(night: Night) -> None:
    night.refreshes.outcome = "Failed"
    with pytest.raises(TransientFailure, match="failed: ModelRefreshFailed_Rehearsed"):
        night.refresh()


@pytest.mark.parametrize("outcome", ["Disabled", "Cancelled"])
def test_a_refresh_stopped_by_a_person_is_not_retried(night: Night, outcome: str) -> None:
    night.refreshes.outcome = outcome
    with pytest.raises(PermanentFailure, match=f"ended as {outcome}"):
        night.refresh()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_an_interrupted_run_is_not_retried_and_power_bi_goes_on(
    night: Night, interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power BI's API cannot cancel such a refresh. A re-execution of the run follows it."""
    night.refreshes.seconds = 0.3

    def interrupted(_: float) -> None:
        raise interrupt

    with monkeypatch.context() as patch:
        patch.setattr("veracitypro_pipeline.bi.assets.time.sleep", interrupted)
        with pytest.raises(PermanentFailure, match="It was interrupted"):
            night.refresh()
    (begun,) = night.refreshes.newest(5)
    assert night.refresh().request_id == begun["requestId"]


def test_a_refresh_slower_than_the_timeout_is_given_up(night: Night) -> None:
    night.refreshes.seconds = 60.0
    with pytest.raises(TransientFailure, match="POWERBI_TIMEOUT_SECONDS"):
        night.refresh(powerbi_timeout_seconds=0.1)
    night.state_store.of_another_run()
    with pytest.raises(TransientFailure, match="still running another refresh"):
        night.refresh()


def test_a_wrong_secret_is_rejected_without_being_shown(night: Night) -> None:
    with pytest.raises(PermanentFailure, match="Microsoft sign-in answered 401") as refusal:
        night.refresh(powerbi_client_secret=SecretStr("open sesame"))
    assert "open sesame" not in str(refusal.value)


def test_a_missing_setting_is_named(night: Night) -> None:
    with pytest.raises(PermanentFailure, match="POWERBI_DATASET_ID is not set"):
        night.refresh(powerbi_dataset_id=None)


def test_a_service_that_does_not_answer_is_transient(night: Night) -> None:
    with pytest.raises(TransientFailure, match="Microsoft sign-in did not answer"):
        night.refresh(powerbi_authority_url="http://127.0.0.1:1")
