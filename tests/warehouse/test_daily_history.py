"""The daily tables can be limited to a number of days, and extended again."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from tests.support.warehouse.building import Warehouse, line_of
from tests.support.warehouse.histories import fetches_of
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.sources.keepa.conservation import CONSERVATION
from veracitypro_pipeline.transform.conservation import broken_equations

NewWarehouse = Callable[[], Warehouse]

# Tables of other grains: their rows have a date, but none is a day carried forward.
NOT_DAILY = ("DIM_DATE", "FCT_MONTHLY_SOLD")


def days_of(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every daily table, its date first."""
    names = warehouse.query(
        "select table_schema || '.' || table_name from information_schema.columns"
        " where table_schema in ('CORE', 'MART') and column_name = 'date'"
        f" and upper(table_name) not in {NOT_DAILY} order by 1"
    )
    assert names
    return {name: warehouse.query(f"select date, * from {name} order by all") for (name,) in names}


def test_a_daily_history_of_some_days_is_the_end_of_the_whole_one(
    new_warehouse: NewWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first build and night after night. A larger number restores older days."""
    random = Random(3)  # noqa: S311 - the same products every time
    fetches = [
        fetch for number in range(4) for fetch in fetches_of(random, f"B0DAILY{number:03d}", 1)
    ]
    newest = max(fetch.as_of_date for fetch in fetches)

    def load(warehouse: Warehouse, number: int, days: range) -> None:
        nights = [newest - timedelta(days=day) for day in days]
        warehouse.load(
            line_of(fetch, f"{number}-{row}.gz")
            for row, fetch in enumerate(fetches)
            if fetch.as_of_date in nights
        )

    whole = new_warehouse()
    load(whole, 1, range(1, 10))
    load(whole, 2, range(1))
    whole.run()
    expected = days_of(whole)
    assert not [name for name, rows in expected.items() if not rows]

    def assert_goes_back(warehouse: Warehouse, days: int) -> None:
        first = newest - timedelta(days=days - 1)
        for name, rows in days_of(warehouse).items():
            assert rows == [row for row in expected[name] if row[0] >= first], name
        # The check before Power BI agrees.
        sources = warehouse.query("select distinct source_file from RAW.KEEPA_RAW")
        files = [name for (name,) in sources]
        (counts,) = (
            DuckDBWarehouse(warehouse.path).query(CONSERVATION.counts, {"files": files}).dicts()
        )
        assert broken_equations(CONSERVATION.equations, counts) == []
        assert min(counts["points"], counts["days_due"]) > 0

    limited = new_warehouse()
    monkeypatch.setenv("VP_DAILY_HISTORY_DAYS", "5")
    load(limited, 1, range(1, 10))
    limited.run()
    load(limited, 2, range(1))
    limited.run()
    assert_goes_back(limited, 5)
    monkeypatch.setenv("VP_DAILY_HISTORY_DAYS", "12")
    limited.run()
    assert_goes_back(limited, 12)
    monkeypatch.delenv("VP_DAILY_HISTORY_DAYS")
    limited.run()
    assert_goes_back(limited, (newest - date(2011, 1, 1)).days)
