"""What a mart's materialization says of it, on a small warehouse and an instance that passes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Statement
from veracitypro_pipeline.transform.mart_figures import is_of_mart, with_figures

DAYS = dg.DailyPartitionsDefinition("2026-01-01")
PRICES, SELLERS = "fct_price_history_daily", "dim_seller"


def warehouse_at(path: Path) -> WarehouseResource:
    settings = Settings.load(warehouse_file=path)

    class Fixed(RunSettings):
        def _load(self) -> Settings:
            return settings

    return WarehouseResource(settings=Fixed())


def run(instance: dg.DagsterInstance, warehouse: WarehouseResource, day: str) -> dict[str, Any]:
    """Metadata by mart of a run in which dbt has built both."""

    @dg.multi_asset(
        specs=[dg.AssetSpec(["mart", mart], partitions_def=DAYS) for mart in (PRICES, SELLERS)]
    )
    def dbt_models(context: dg.AssetExecutionContext) -> Any:
        built = [dg.Output(None, f"mart__{mart}", metadata={"s": 1}) for mart in (PRICES, SELLERS)]
        yield from with_figures(context, warehouse, built)

    result = dg.materialize([dbt_models], instance=instance, partition_key=day)
    return {
        one.asset_key.path[-1]: {name: value.value for name, value in one.metadata.items()}
        for one in result.asset_materializations_for_node("dbt_models")
    }


def test_a_mart_says_its_rows_what_came_to_them_and_its_newest_day(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path / "dwh.duckdb")
    warehouse.transact(
        [
            Statement("create schema MART"),
            Statement(f"create table MART.{SELLERS} as select 'A1' as seller_id"),
            Statement(f"create table MART.{PRICES} as select date '2026-01-30' as date, 9.9 as p"),
        ]
    )
    with dg.DagsterInstance.ephemeral() as instance:
        first = run(instance, warehouse, "2026-01-30")
        newest = datetime(2026, 1, 30, tzinfo=UTC).timestamp()
        assert first[PRICES] == {
            "s": 1,
            "dagster/row_count": 1,
            "newest_day": newest,
            "days_behind": 0,
        }
        assert first[SELLERS] == {"s": 1, "dagster/row_count": 1}

        warehouse.transact([Statement(f"insert into MART.{PRICES} select date '2026-01-29', 9.8")])
        second = run(instance, warehouse, "2026-01-31")
        assert second[PRICES] == {
            "s": 1,
            "dagster/row_count": 2,
            "rows_added": 1,
            "rows_of_new_days": 0,
            "newest_day": newest,
            "days_behind": 1,
        }
        assert second[SELLERS]["rows_added"] == 0

        # As the oldest day goes, the newest comes.
        warehouse.transact([Statement(f"update MART.{PRICES} set date = date + interval 2 day")])
        third = run(instance, warehouse, "2026-02-01")[PRICES]
        assert (third["rows_added"], third["rows_of_new_days"]) == (0, 2)

        warehouse.transact([Statement(f"drop table MART.{SELLERS}")])
        assert run(instance, warehouse, "2026-01-31")[PRICES] == {"s": 1}


def test_what_is_of_a_mart_is_told_by_its_asset() -> None:
    assert is_of_mart(dg.Output(None, "mart__dim_seller"))
    assert is_of_mart(dg.AssetCheckResult(passed=True, asset_key=["mart", "x"], check_name="c"))
    assert not is_of_mart(dg.Output(None, "core__core_keepa_series"))
    assert not is_of_mart(dg.AssetCheckResult(passed=True, asset_key=["raw", "x"], check_name="c"))
