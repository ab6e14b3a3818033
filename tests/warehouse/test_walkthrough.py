"""The tables of the page `dbt_project/README.md` are those that its payload gives."""

import pytest

from tests.support.warehouse import walkthrough
from tests.support.warehouse.building import Warehouse

pytestmark = pytest.mark.xdist_group("hostile")


def test_the_page_goes_from_raw_to_mart() -> None:
    tables = [table for table, _, _ in walkthrough.steps()]
    assert len(tables) == walkthrough.PAGE.read_text().count("\n### ")
    assert [tables[0], tables[-1]] == ["RAW.KEEPA_RAW", "MART.fct_price_history_daily"]


@pytest.mark.parametrize(
    ("table", "columns", "rows"), walkthrough.steps(), ids=lambda of: of if type(of) is str else ""
)
def test_a_table_has_the_rows_of_the_page(
    hostile: Warehouse, table: str, columns: list[str], rows: list[list[str]]
) -> None:
    of_the_payload = (
        f"source_file = '{walkthrough.line().source_file}'"
        if table.startswith("RAW.")
        else "asin = 'B0WALKTHRU'"
    )
    found = hostile.query(
        f"select {', '.join(columns)} from {table} where {of_the_payload} order by all"
    )
    assert [["" if value is None else str(value) for value in row] for row in found] == rows
