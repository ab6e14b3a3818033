"""A newer version of the models builds on a warehouse of an older one."""

from collections.abc import Callable
from dataclasses import replace

import duckdb

from tests.support.warehouse.building import UNTESTED, Warehouse, fetch_at, line_of
from tests.support.warehouse.comparing import assert_same, tables
from tests.support.warehouse.histories import FIRST_NIGHT, NIGHT, START
from tests.support.warehouse.products import a_product


def bring(warehouse: Warehouse, night: int) -> None:
    """Load a payload with a price and a video; the first one has a rank as well."""
    ranks = {} if night else {"SALES": [START, 9]}
    product = a_product(
        series={"NEW": [START, 5 + night], **ranks},
        videos=[{"url": "a"}],
        offers=[{"offerId": 1, "offerCSV": [START, 7, 0]}],
    )
    line = line_of(fetch_at(product, FIRST_NIGHT + night * NIGHT), f"{night}.gz")
    warehouse.load([replace(line, load_id=f"load-{night}")])


def change(warehouse: Warehouse, *statements: str) -> None:
    with duckdb.connect(str(warehouse.path)) as connection:
        for statement in statements:
            connection.execute(statement)


def columns_of(warehouse: Warehouse, table: str) -> set[str]:
    return {
        name
        for (name,) in warehouse.query(
            f"select column_name from information_schema.columns where table_name = '{table}'"
        )
    }


# As they were before the key had another name, before there was a mean, before a daily model knew
# how far back it went, and when a series was carried to the newest day of the product.
OLDER = (
    "alter table STG.stg_keepa_video rename fetch_id to history_version",
    "alter table CORE.core_keepa_price_daily drop price_avg",
    "alter table MONITORING._BUILT_CORE_KEEPA_OFFER_PRICE_DAILY drop first_day_kept",
    "alter table STG.stg_keepa_slice drop last_as_of_date",
    "insert into CORE.core_keepa_rank_daily select * replace (date + 3 as date)"
    " from CORE.core_keepa_rank_daily qualify row_number() over (order by date desc) <= 3",
    "update MONITORING._BUILT_CORE_KEEPA_RANK_DAILY set horizon_minute = horizon_minute + 3 * 1440",
)


STATE_OF_POINTS = "MONITORING._BUILT_STG_KEEPA_POINT"


def states(warehouse: Warehouse) -> list[str]:
    """The tables in which builds keep their state."""
    return [
        name
        for (name,) in warehouse.query(
            "select table_name from information_schema.tables where table_schema = 'MONITORING'"
            " and table_name not in ('LOAD_LEDGER') order by 1"
        )
    ]


def test_tables_of_an_older_version_are_rebuilt_or_renamed_by_the_next_night(
    new_warehouse: Callable[[], Warehouse],
) -> None:
    """As after a rollback: the older version has built since, and a state of ours is left over."""
    older, fresh = new_warehouse(), new_warehouse()
    for night in (0, 1):
        bring(fresh, night)
    fresh.run()
    bring(older, 0)
    older.run()
    change(
        older,
        *OLDER,
        *(f"alter table MONITORING.{name} rename to {name[1:]}" for name in states(older)),
        f"attach '{fresh.path}' as later (read_only)",
        f"create table {STATE_OF_POINTS} as from later.{STATE_OF_POINTS}",
    )

    bring(older, 1)
    older.run()

    assert_same(tables(older), tables(fresh))
    assert {*states(older)} >= {*states(fresh)}
    assert all(name.startswith("_") for name in states(older))


def test_a_build_drops_no_table_of_others(warehouse: Warehouse) -> None:
    bring(warehouse, 0)
    warehouse.run()
    change(warehouse, *OLDER)

    failures = warehouse.project.dbt(
        warehouse.path, "build", "--select", "stg_keepa_video", *UNTESTED
    )

    assert not failures
    assert "fetch_id" in columns_of(warehouse, "stg_keepa_video")
    assert columns_of(warehouse, "core_keepa_price_daily") > {"price_open"}
    assert "price_avg" not in columns_of(warehouse, "core_keepa_price_daily")


def test_a_column_of_another_type_stops_the_build_with_the_next_step(
    warehouse: Warehouse,
) -> None:
    bring(warehouse, 0)
    warehouse.run()
    change(warehouse, "alter table CORE.core_keepa_offer alter offer_id type varchar")

    bring(warehouse, 1)
    failures = warehouse.project.dbt(warehouse.path, "build", *UNTESTED)

    said = " ".join(failures["core_keepa_offer"].split())
    assert (
        'core_keepa_offer" was made by another version of its model: other columns (none), other'
        " types (offer_id). Rebuild it with `vp backfill --full-refresh` of the last day."
    ) in said
