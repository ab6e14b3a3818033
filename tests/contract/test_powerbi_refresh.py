"""The Power BI stage against the stand-in: it follows its own refresh, to each end it can have."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from veracitypro_pipeline.bi.assets import build_assets
from veracitypro_pipeline.bi.checks import dataset_is_current
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.handover import RefreshReport
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.powerbi import Refreshes, create_powerbi_app
from veracitypro_pipeline.resources.duckdb_warehouse import DuckDBWarehouse
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.warehouse import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Statement

from .fixed_settings import HandoverInMemory, fixed

OWN = Credentials()
DAY = "2026-01-31"


class Night:
    """The stage, ready to run, on a warehouse with one mart of three rows."""

    def __init__(self, url: str, folder: Path, refreshes: Refreshes) -> None:
        self.refreshes = refreshes
        self.handover = HandoverInMemory()
        with DuckDBWarehouse(folder / "dwh.duckdb").transaction() as transaction:
            transaction.run(Statement("create schema MART"))
            transaction.run(
                Statement("create table MART.DIM_PRODUCT as select unnest(range(3)) as asin")
            )
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

    def resources(self, **changes: Any) -> tuple[PowerBIResource, WarehouseResource]:
        of_run = fixed(self.settings.model_copy(update=changes))
        return PowerBIResource(settings=of_run), WarehouseResource(settings=of_run)

    def refresh(self, **changes: Any) -> RefreshReport:
        powerbi, warehouse = self.resources(**changes)
        (asset,) = build_assets(dg.RetryPolicy(), [])
        context = dg.build_asset_context(partition_key=DAY)
        result = asset(context, powerbi=powerbi, warehouse=warehouse, handover=self.handover)
        assert isinstance(result, dg.MaterializeResult)
        report: RefreshReport = result.value
        return report

    def check(self, report: RefreshReport) -> dg.AssetCheckResult:
        powerbi, _ = self.resources()
        result = dataset_is_current(report, powerbi=powerbi)
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


def test_a_further_try_follows_the_refresh_that_the_first_has_started(night: Night) -> None:
    first = night.refresh()
    assert night.refresh().request_id == first.request_id
    night.handover.of_another_run()
    assert night.refresh().request_id != first.request_id


def test_a_later_refresh_that_failed_makes_the_check_warn(night: Night) -> None:
    report = night.refresh()
    night.refreshes.outcome, night.refreshes.seconds = "Failed", 0.0
    night.refreshes.start()
    result = night.check(report)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN


def test_a_refresh_that_nobody_lists_makes_the_check_warn(night: Night) -> None:
    report = night.refresh().model_copy(update={"request_id": "another"})
    assert not night.check(report).passed


def test_a_failed_refresh_may_be_started_again(night: Night) -> None:
    night.refreshes.outcome = "Failed"
    with pytest.raises(TransientFailure, match="failed: ModelRefreshFailed_Rehearsed"):
        night.refresh()


def test_refreshes_that_are_switched_off_are_not_tried_again(night: Night) -> None:
    night.refreshes.outcome = "Disabled"
    with pytest.raises(PermanentFailure, match="ended as Disabled"):
        night.refresh()


def test_a_refresh_slower_than_its_time_out_is_given_up(night: Night) -> None:
    night.refreshes.seconds = 60.0
    with pytest.raises(TransientFailure, match="POWERBI_TIMEOUT_SECONDS"):
        night.refresh(powerbi_timeout_seconds=0.1)
    night.handover.of_another_run()
    with pytest.raises(TransientFailure, match="still running another refresh"):
        night.refresh()


def test_a_wrong_secret_is_refused_without_being_shown(night: Night) -> None:
    with pytest.raises(PermanentFailure, match="Microsoft sign-in answered 401") as refusal:
        night.refresh(powerbi_client_secret=SecretStr("open sesame"))
    assert "open sesame" not in str(refusal.value)


def test_a_missing_setting_is_named(night: Night) -> None:
    with pytest.raises(PermanentFailure, match="POWERBI_DATASET_ID is not set"):
        night.refresh(powerbi_dataset_id=None)


def test_a_service_that_does_not_answer_is_a_passing_fault(night: Night) -> None:
    with pytest.raises(TransientFailure, match="Microsoft sign-in did not answer"):
        night.refresh(powerbi_authority_url="http://127.0.0.1:1")
