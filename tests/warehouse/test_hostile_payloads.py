"""Malformed payloads: nothing crashes, and each refused part has a reason.

One build has all of them and those of `test_mutated_payloads`; the cases are in `hostile.py`.
"""

from collections import defaultdict

import pytest

from tests.support.warehouse.building import Warehouse
from tests.support.warehouse.hostile import (
    ASIN_OF,
    BROKEN_LINES,
    CASES,
    HOSTILE_AS_OF,
    TITLES,
    Case,
    Kept,
    Refusal,
)

pytestmark = pytest.mark.xdist_group("hostile")


@pytest.fixture(scope="module")
def kept(hostile: Warehouse) -> dict[str, Kept]:
    result: dict[str, Kept] = defaultdict(lambda: defaultdict(list))
    for asin, series, *point in hostile.query(
        "select asin, series, minute, value, second_value from STG.stg_keepa_point order by all"
    ):
        result[asin][series].append((point[0], point[1], point[2]))
    return result


@pytest.fixture(scope="module")
def refused(hostile: Warehouse) -> dict[str, list[Refusal]]:
    result = defaultdict[str, list[Refusal]](list)
    for asin, *refusal in hostile.query(
        "select f.asin, q.series, q.position, q.reason from STG.stg_keepa_quarantine as q"
        " join STG.stg_keepa_fetch as f using (source_file, file_row_number)"
    ):
        result[asin].append((refusal[0], refusal[1], refusal[2]))
    return result


@pytest.mark.traps(12, 16, 22)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_readable_parts_are_read_and_the_rest_is_in_quarantine(
    case: Case, kept: dict[str, Kept], refused: dict[str, list[Refusal]]
) -> None:
    asin = ASIN_OF[case.name]
    assert kept.get(asin, {}) == case.kept
    assert sorted(refused.get(asin, []), key=str) == sorted(case.refused, key=str)


def test_every_line_that_names_no_product_is_in_quarantine_once(hostile: Warehouse) -> None:
    rows = hostile.query(
        "select file_row_number, reason, series, position, raw_text, as_of_date"
        " from STG.stg_keepa_quarantine where scope = 'record' order by 1"
    )
    assert rows == [
        (row, reason, None, None, payload if payload is not None else raw_line, HOSTILE_AS_OF)
        for row, (payload, raw_line, reason) in enumerate(BROKEN_LINES, start=1)
    ]


def test_a_refused_point_keeps_its_text(hostile: Warehouse) -> None:
    rows = hostile.query(
        "select position, raw_text from STG.stg_keepa_quarantine join STG.stg_keepa_fetch"
        f" using (source_file, file_row_number) where asin = '{ASIN_OF['no integers']}' order by 1"
    )
    assert [text for _, text in rows] == [
        *("[1,1.5]", "[2,null]", '[3,{"a":1}]', "[4,[4]]", "[5,true]", '[6,"six"]', '[7,"7.0"]'),
        '[8,""]',
    ]


def test_titles_are_unchanged(hostile: Warehouse) -> None:
    rows = hostile.query("select asin, title from MART.dim_product where asin like 'B0HTML%'")
    # JSON text with a NUL in it is text like any other.
    assert dict(rows) == TITLES


def test_attributes_of_the_wrong_type_are_null(hostile: Warehouse) -> None:
    for name in ("attributes of the wrong type", "attributes are empty"):
        (row,) = hostile.query(
            "select title, brand, root_category_name, root_category_id, tracking_since_at,"
            f" listed_since_at from CORE.core_keepa_product where asin = '{ASIN_OF[name]}'"
        )
        assert row == (None,) * 6


def test_nothing_is_counted_twice_or_lost(hostile: Warehouse) -> None:
    ((lines, fetches, refused),) = hostile.query(
        "select (select count(*) from RAW.KEEPA_RAW), (select count(*) from STG.stg_keepa_fetch),"
        " (select count(*) from STG.stg_keepa_quarantine where scope = 'record')"
    )
    assert refused == len(BROKEN_LINES)
    assert lines == fetches + refused
