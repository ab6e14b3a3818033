"""The checks of the promises to readers: each warns if one is broken, and none blocks."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from veracitypro_pipeline.bi.checks import run_time_is_usual
from veracitypro_pipeline.lineage import JOB_NAME, POWERBI_DATASET, STAGES, ingest_key
from veracitypro_pipeline.monitoring.tables import create_tables
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import KEEPA, PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandedFile, LandingManifest
from veracitypro_pipeline.transform.freshness_and_volume import build_checks

DAY = date(2026, 3, 31)


class Warehouse:
    """A warehouse with one row per mart and twelve good nights before the day."""

    def __init__(self, path: Path, *, newest: date, seconds: float = 0.01) -> None:
        settings = Settings.load(warehouse_file=path)

        class FixedSettings(RunSettings):
            def _load(self) -> Settings:
                return settings

        self.resource = WarehouseResource(settings=FixedSettings())
        self.resource.transact(create_tables(STAGES))
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema MART")
            for mart in MARTS:
                connection.execute(
                    f"create table MART.{mart} as select date '{newest}' as date,"
                    f" timestamp '{newest} 00:10:00' + interval '1 day' as last_fetched_at"
                )
            for number in range(1, 13):
                day = DAY - timedelta(days=number)
                connection.execute(
                    "insert into MONITORING.PIPELINE_RUN_MONITORING by name select"
                    f" 'r{number}' as run_id, '{JOB_NAME}' as job, date '{day}' as as_of_date,"
                    f" 'success' as status, timestamp '{day} 00:10:00' as started_at,"
                    " 0 as tests_failed, 24 as records, 24000 as size_bytes,"
                    f" {seconds} as seconds, 1.0 as ingest_seconds, now()::timestamp as recorded_at"
                )

    def judge(
        self, *, records: int, synced_days_later: int = 0
    ) -> dict[tuple[str, str], dg.AssetCheckResult]:
        """The check results of the night, by mart and check."""
        file = LandedFile(key="k", etag="e", size_bytes=1000 * records, lines=records, sync_ids={})
        manifest = LandingManifest(
            as_of_date=DAY + timedelta(days=synced_days_later),
            job_id=1,
            records_reported=records,
            files=(file,),
        )
        context = dg.build_op_context(partition_key=str(DAY))
        (service_levels,) = build_checks(KEEPA)
        results: Any = service_levels(context, manifest=manifest, warehouse=self.resource)
        return {(one.asset_key.path[-1], one.check_name): one for one in results}

    def run_time(self, *, is_whole: bool = True) -> dg.AssetCheckEvaluation:
        """The result for a night of about a second; it has no sync if it is not whole."""

        @dg.asset(key=ingest_key(PRODUCT_RAW), partitions_def=daily_as_of)
        def sync() -> None: ...

        @dg.asset(key=POWERBI_DATASET, partitions_def=daily_as_of)
        def dataset() -> None: ...

        defs = dg.Definitions(
            assets=[sync, dataset],
            asset_checks=[run_time_is_usual],
            resources={"warehouse": self.resource},
            jobs=[dg.define_asset_job(JOB_NAME, selection=dg.AssetSelection.all())],
        )
        with dg.DagsterInstance.ephemeral() as instance:
            run = defs.resolve_job_def(JOB_NAME).execute_in_process(
                instance=instance,
                partition_key=str(DAY),
                asset_selection=None if is_whole else [POWERBI_DATASET],
            )
        (evaluation,) = run.get_asset_check_evaluations()
        return evaluation


def test_a_usual_night_keeps_every_promise(tmp_path: Path) -> None:
    results = Warehouse(tmp_path / "one.duckdb", newest=DAY).judge(records=24)
    assert len(results) == len(MARTS) + 1
    assert all(result.passed for result in results.values())


def test_a_day_served_by_a_later_sync_is_compared_with_its_own_date(tmp_path: Path) -> None:
    results = Warehouse(tmp_path / "one.duckdb", newest=DAY).judge(records=24, synced_days_later=9)
    assert all(result.passed for result in results.values())


def test_a_mart_that_ends_before_the_day_warns_with_its_end(tmp_path: Path) -> None:
    results = Warehouse(tmp_path / "one.duckdb", newest=DAY - timedelta(days=2)).judge(records=24)
    late = {mart for (mart, check), result in results.items() if not result.passed}
    assert late == set(MARTS) - {"fct_offer_price_daily"}
    result = results["fct_rank_history_daily", "data_is_fresh"]
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.description == (
        "Its newest day is 2026-03-29, 2 days behind 2026-03-31; 0 are allowed."
    )


def test_half_of_the_records_warn_with_the_band(tmp_path: Path) -> None:
    result = Warehouse(tmp_path / "one.duckdb", newest=DAY).judge(records=12)[
        "dim_product", "volume_is_usual"
    ]
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert str(result.description).startswith("records 12: usual is 21.6 to 26.4 (median 24 of")


@pytest.mark.parametrize(("seconds", "passed"), [(0.001, False), (600.0, True)])
def test_a_night_that_takes_longer_than_others_warns(
    tmp_path: Path, seconds: float, passed: bool
) -> None:
    warehouse = Warehouse(tmp_path / "one.duckdb", newest=DAY, seconds=seconds)
    evaluation = warehouse.run_time()
    assert evaluation.passed is passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert "median" in str(evaluation.description)


def test_a_run_without_a_sync_is_not_compared_with_whole_nights(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "one.duckdb", newest=DAY, seconds=0.001)
    evaluation = warehouse.run_time(is_whole=False)
    assert evaluation.passed
    assert evaluation.description == "Not judged: the run began without a sync."
