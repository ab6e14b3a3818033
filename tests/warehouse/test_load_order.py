"""The tables depend on the set of fetches, not on the order, number or size of loads."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from tests.support.warehouse import reference
from tests.support.warehouse.building import Line, Project, Warehouse, fetch_at, line_of
from tests.support.warehouse.comparing import assert_same, tables
from tests.support.warehouse.histories import FIRST_NIGHT, NIGHT, START, batches, fetches_of
from tests.support.warehouse.products import ASIN, a_product, an_unknown_asin, csv_of
from tests.support.warehouse.reference import Fetch
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource
from veracitypro_pipeline.local.sources.keepa.product_request import ProductRequest
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNEL_BY_NAME

NewWarehouse = Callable[[], Warehouse]


def in_nights(lines: list[Line]) -> list[list[Line]]:
    """One load per as-of day, as the nightly run does."""
    return [
        [line for line in lines if line.as_of_date == day]
        for day in sorted({line.as_of_date for line in lines})
    ]


def lines_in_loads(loads: list[list[Line]]) -> list[list[Line]]:
    return [
        [replace(line, load_id=f"load-{number}") for line in lines]
        for number, lines in enumerate(loads)
    ]


@pytest.mark.traps(6, 7, 8, 10)
@pytest.mark.parametrize("in_order", [True, False], ids=["night by night", "any order"])
def test_any_order_and_number_of_loads_gives_the_same_tables(
    in_order: bool, new_warehouse: NewWarehouse
) -> None:
    """They also equal a full refresh and the reference implementation."""
    random = Random(1 + in_order)  # noqa: S311 - a story to tell, no secret
    fetches = [
        fetch for number in range(8) for fetch in fetches_of(random, f"B0ORDER{number:03d}", 1)
    ]
    lines = [line_of(fetch, f"file-{number}.gz") for number, fetch in enumerate(fetches)]
    # Airbyte delivers at least once: some files come a second time under another name.
    lines += [
        replace(
            line,
            source_file=f"again-{line.source_file}",
            as_of_date=line.as_of_date + random.choice((0, 1)) * NIGHT,
        )
        for line in lines[::9]
    ]
    # One line is broken, wherever it comes.
    lines.append(Line(None, None, fetches[0].as_of_date, "broken.gz", 1, "{"))

    stepwise = new_warehouse()
    nights = in_nights(lines)
    first = [line for night in nights[:-2] for line in night]
    arrived = [first, *nights[-2:]] if in_order else batches(random, lines, count=2)
    for load in lines_in_loads(arrived):
        stepwise.load(load)
        stepwise.run()
    built_stepwise = tables(stepwise)
    scopes = {row[4] for row in built_stepwise["STG.stg_keepa_quarantine"]}
    assert scopes == {"record", "point", "attribute"}
    if in_order:
        stepwise.refresh()
        assert_same(built_stepwise, tables(stepwise))
    else:
        at_once = new_warehouse()
        at_once.load(lines)
        at_once.run()
        assert_same(built_stepwise, tables(at_once))
    assert_points_are_those_of(fetches, stepwise)


def assert_points_are_those_of(fetches: list[Fetch], warehouse: Warehouse) -> None:
    of_product = defaultdict[str, list[Fetch]](list)
    for fetch in sorted(fetches, key=order_of_fetches):
        of_product[fetch.product["asin"]].append(fetch)
    expected = {
        (asin, name, minute): (point.value, point.second, point.fetched_at)
        for asin, of in of_product.items()
        for name, points in reference.merged(of).items()
        for minute, point in points.items()
    }
    rows = warehouse.query(
        "select asin, replace(series, 'salesRanks:', ''), minute, value, second_value, fetched_at"
        " from STG.stg_keepa_point inner join STG.stg_keepa_slice using (domain_id, asin, series)"
        " where slice_minute = stg_keepa_slice.first_minute"
    )
    assert {row[:3]: row[3:] for row in rows} == expected
    assert len(rows) == len(expected)


def order_of_fetches(fetch: Fetch) -> tuple[Any, ...]:
    payload = line_of(fetch).payload
    assert payload is not None
    return fetch.fetched_at, hashlib.md5(payload.encode(), usedforsecurity=False).hexdigest()


def points(warehouse: Warehouse, series: str) -> dict[int, int]:
    return dict(
        warehouse.query(f"select minute, value from STG.stg_keepa_point where series = '{series}'")
    )


def given_nights(
    warehouse: Warehouse, *products: dict[str, Any], up_to: tuple[str, ...] = ()
) -> None:
    """One load and build a night, each with one answer."""
    for night, product in enumerate(products):
        line = line_of(fetch_at(product, FIRST_NIGHT + night * NIGHT), f"night-{night}.gz")
        warehouse.load([replace(line, load_id=f"load-{night}")])
        warehouse.run_up_to(*up_to)


@pytest.mark.traps(7, 8, 11)
def test_a_series_that_a_newer_fetch_lacks_is_kept(warehouse: Warehouse) -> None:
    old = [START, 10, START + 10, 20, START + 20, 30]
    given_nights(
        warehouse,
        a_product(series={"NEW": old, "RATING": [START, 45]}),
        # Limited to some days, without ratings, and without the point that Keepa took back.
        a_product(series={"NEW": [START + 10, 21]}),
        # Not asked for a history.
        a_product(csv=None, title="Renamed"),
        # Forgotten by Keepa.
        an_unknown_asin(),
        up_to=("dim_product", "stg_keepa_point"),
    )
    assert points(warehouse, "NEW") == {START: 10, START + 10: 21}
    assert points(warehouse, "RATING") == {START: 45}
    (row,) = warehouse.query(
        "select title, first_seen_at, last_fetched_at from MART.dim_product"
        f" where asin = '{ASIN}' and domain_id = 1"
    )
    assert row == ("Renamed", FIRST_NIGHT, FIRST_NIGHT + 3 * NIGHT)


# The daily tables, and a series that makes rows of each.
DAILY: dict[str, dict[str, Any]] = {
    "core_keepa_price_daily": {"csv": csv_of({"NEW": [START, 10]})},
    "core_keepa_rank_daily": {"csv": csv_of({"SALES": [START, 10]})},
    "core_keepa_offer_count_daily": {"csv": csv_of({"COUNT_NEW": [START, 10]})},
    "core_keepa_reviews_daily": {"csv": csv_of({"RATING": [START, 45]})},
    "core_keepa_category_rank_daily": {"salesRanks": {"77": [START, 10]}},
    "core_keepa_buybox_daily": {"buyBoxSellerIdHistory": [str(START), "A1SELLER"]},
    "core_keepa_monthly_sold_daily": {"monthlySoldHistory": [START, 50]},
}


@pytest.mark.traps(8)
def test_a_series_is_carried_no_further_than_the_newest_fetch_that_has_it(
    warehouse: Warehouse,
) -> None:
    """A night without it writes no day; when it comes back, the days between are written."""
    asins = {model: f"B0CARRY{number:03d}" for number, model in enumerate(DAILY)}
    # Of two series in one row, only one is lost.
    half = "B0CARRYHLF"
    stars, counted = {"RATING": [START, 45]}, {"COUNT_REVIEWS": [START, 7]}

    def night(number: int, *, is_whole: bool) -> dict[str, date]:
        """The last day of each table after it."""
        at = FIRST_NIGHT + number * NIGHT
        products = [
            a_product(asin, **(DAILY[model] if is_whole else {"csv": None}))
            for model, asin in asins.items()
        ]
        products.append(a_product(half, series=stars | counted if is_whole else counted))
        warehouse.load(
            replace(line_of(fetch_at(product, at), f"{number}.gz", row), load_id=f"load-{number}")
            for row, product in enumerate(products, start=1)
        )
        warehouse.run_up_to(*DAILY)
        return {
            model: warehouse.query(f"select max(date) from CORE.{model} where asin = '{asin}'")[0][
                0
            ]
            for model, asin in asins.items()
        }

    def halves() -> dict[date, tuple[Any, ...]]:
        rows = warehouse.query(
            "select date, rating_close::double, review_count_close"
            f" from CORE.core_keepa_reviews_daily where asin = '{half}' order by date desc limit 2"
        )
        return {row[0]: row[1:] for row in rows}

    days = [(FIRST_NIGHT + (number - 1) * NIGHT).date() for number in range(4)]
    assert night(0, is_whole=True) == dict.fromkeys(DAILY, days[0])
    assert night(1, is_whole=False) == dict.fromkeys(DAILY, days[0])
    assert halves() == {days[0]: (4.5, 7), days[1]: (None, 7)}
    assert night(2, is_whole=True) == dict.fromkeys(DAILY, days[2])
    assert halves() == {days[1]: (4.5, 7), days[2]: (4.5, 7)}
    # The newest fetch comes a second time, for the day after.
    again = line_of(Fetch(a_product(half, series=stars), FIRST_NIGHT + 2 * NIGHT, days[2]))
    warehouse.load([replace(again, source_file="9.gz", load_id="load-9")])
    warehouse.run_up_to(*DAILY)
    warehouse.load([replace(again, source_file="10.gz", load_id="load-10", as_of_date=days[3])])
    warehouse.run_up_to(*DAILY)
    assert halves() == {days[2]: (4.5, 7), days[3]: (4.5, None)}


@pytest.mark.traps(10)
def test_a_late_old_fetch_fills_the_past_and_changes_nothing_else(warehouse: Warehouse) -> None:
    newer = fetch_at(a_product(series={"NEW": [START + 10, 20]}), FIRST_NIGHT + NIGHT)
    older = fetch_at(a_product(series={"NEW": [START, 5, START + 10, 6]}), FIRST_NIGHT)
    warehouse.load([line_of(newer)])
    warehouse.run_up_to("stg_keepa_point")
    # Its load has the same instant as the one before: a watermark would skip it.
    warehouse.load([replace(line_of(older), load_id="load-2")])
    warehouse.run_up_to("stg_keepa_point")
    assert points(warehouse, "NEW") == {START: 5, START + 10: 20}


def changes_of(warehouse: Warehouse, model: str, columns: str) -> list[tuple[Any, ...]]:
    """What the last build of a model found to do."""
    return warehouse.query(
        f"select {columns} from MONITORING._CHANGES_OF_{model.upper()} order by all"
    )


def test_a_night_writes_the_days_it_brings_and_nothing_else(warehouse: Warehouse) -> None:
    """An unchanged series gets one row; a series with a new point no day before that point."""
    price = "core_keepa_price_daily"
    first_day, days = FIRST_NIGHT.date() - NIGHT, timedelta(days=1)
    new = [START - 40_000, 10, START - 20_000, 20]
    amazon = [START - 50_000, 30]

    given_nights(warehouse, a_product(series={"NEW": new, "AMAZON": amazon}), up_to=(price,))
    before = set(warehouse.query(f"select * from CORE.{price}"))

    def night(number: int, **series: list[int]) -> tuple[set[Any], set[Any]]:
        """The rows of the price days that came and those that went."""
        nonlocal before
        product = a_product(series={"NEW": new, "AMAZON": amazon, **series})
        line = line_of(fetch_at(product, FIRST_NIGHT + number * NIGHT), f"again-{number}.gz")
        warehouse.load([replace(line, load_id=f"again-{number}")])
        warehouse.run_up_to(price)
        after = set(warehouse.query(f"select * from CORE.{price}"))
        came, went = after - before, before - after
        before = after
        return {row[2:4] for row in came}, {row[2:4] for row in went}

    second_day, third_day, fourth_day = (first_day + number * days for number in (1, 2, 3))
    assert night(1) == ({("NEW", second_day), ("AMAZON", second_day)}, set())
    assert changes_of(warehouse, "stg_keepa_point", "series") == []
    assert changes_of(warehouse, price, "series, from_date, is_rewritten") == [
        ("AMAZON", second_day, False),
        ("NEW", second_day, False),
    ]
    # A point at the noon that has just passed.
    noon = minute_of(third_day) + 720
    grown = [*new, noon, 25]
    assert night(2, NEW=grown) == ({("NEW", third_day), ("AMAZON", third_day)}, set())
    assert changes_of(warehouse, "stg_keepa_point", "series") == [("NEW",)]
    assert not any(rewritten for (rewritten,) in changes_of(warehouse, price, "is_rewritten"))
    # Keepa takes it back: the day on which it stood is another one, and no day before.
    came, went = night(3)
    assert came == {("NEW", third_day), ("NEW", fourth_day), ("AMAZON", fourth_day)}
    assert went == {("NEW", third_day)}


def test_a_fetch_limited_to_some_days_gives_the_tables_of_a_full_one(
    new_warehouse: NewWarehouse,
) -> None:
    """Whole series come once, then the last thirty days, at the same price in tokens."""
    catalogue = CatalogueSource([], extra_asins=2)
    (asins,) = catalogue.tracked().values()
    full, limited = new_warehouse(), new_warehouse()
    for night in range(3):
        at = FIRST_NIGHT + night * NIGHT
        for warehouse, days in ((full, None), (limited, None if night == 0 else 30)):
            warehouse.load(
                line_of(fetch_at(answer_of(catalogue, asin, at, days), at), f"{night}.gz", row)
                for row, asin in enumerate(asins, start=1)
            )
        if night != 1:
            limited.run()
    full.run()
    described = {name for name in tables(full) if not name.startswith("STG.")} | {
        "STG.stg_keepa_merged_series"
    }
    for name in described:
        # The set of fetches is another one.
        sql = f"select columns(lambda c: c <> 'history_version') from {name} order by all"
        assert full.query(sql) == limited.query(sql), name
    sent = "select sum(point_count) from STG.stg_keepa_series"
    assert 2 * limited.query(sent)[0][0] < full.query(sent)[0][0]


def answer_of(
    catalogue: CatalogueSource, asin: str, at: datetime, days: int | None
) -> dict[str, Any]:
    """The local Keepa's answer to our connector's request."""
    parameters = {"domain": "1", "asin": asin, "rating": "1", "buybox": "1"}
    if days is not None:
        parameters["days"] = str(days)
    now = at.replace(tzinfo=UTC)
    product = catalogue.product(1, asin, now)
    assert product is not None
    return ProductRequest.parse(parameters, now).select(product, now)


@dataclass(frozen=True)
class ThreeNights:
    """A warehouse after three nights, its file before the third, and who read RAW in each."""

    warehouse: Warehouse
    before: Path
    readers_of_raw: list[set[str]]


@pytest.fixture(scope="module")
def three_nights(project: Project, tmp_path_factory: pytest.TempPathFactory) -> ThreeNights:
    """The last brings new points."""
    warehouse = Warehouse(project, tmp_path_factory.mktemp("three nights") / "all")
    before = warehouse.folder / "before.duckdb"
    silent = a_product("B0SILENT01")
    damaged = a_product("B0DAMAGED1", series={"NEW": [START, "x"]}, brand=7)
    # The first has its content in the first night only, the second is not fetched again.
    asked_once = [
        a_product("B0ONCE0001", videos=[{"url": "a"}]),
        a_product("B0EMPTY001", videos=[]),
    ]
    series = {"NEW": [START, 10], "RATING": [START, 45], "COUNT_REVIEWS": [START, 7]}
    grown = {"NEW": [START, 10, START + 9, 11], "RATING": [START, 45], "COUNT_REVIEWS": [START, 8]}
    readers = []
    for number in range(3):
        if number == 2:
            before.write_bytes(warehouse.path.read_bytes())
        answers = [a_product(series=grown if number == 2 else series), silent, damaged]
        answers += asked_once if number == 0 else [a_product("B0ONCE0001")]
        warehouse.load(
            replace(
                line_of(fetch_at(product, FIRST_NIGHT + number * NIGHT), f"{number}.gz", row),
                load_id=f"load-{number}",
            )
            for row, product in enumerate(answers, start=1)
        )
        warehouse.run()
        readers.append(warehouse.readers_of_raw())
    return ThreeNights(warehouse, before, readers)


@pytest.mark.xdist_group("three nights")
@pytest.mark.parametrize("memory", ["of the night before", "gone"])
def test_a_build_killed_before_it_saved_its_watermark_is_repeated(
    three_nights: ThreeNights, new_warehouse: NewWarehouse, memory: str
) -> None:
    """On Snowflake the rows of a model are committed before its post-hook runs."""
    complete, before = three_nights.warehouse, three_nights.before
    warehouse = new_warehouse()
    warehouse.path.write_bytes(complete.path.read_bytes())
    remembered = [
        name
        for (name,) in warehouse.query(
            "select table_name from information_schema.tables where table_name like '_BUILT_%'"
        )
    ]
    assert len(remembered) > 10
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"attach '{before}' as night_before (read_only)")
        for name in remembered:
            connection.execute(f"drop table MONITORING.{name}")
            if memory != "gone":
                kept = f"night_before.MONITORING.{name}"
                connection.execute(f"create table MONITORING.{name} as from {kept}")

    warehouse.run()

    assert_same(tables(warehouse), tables(complete))


def minute_of(day: date) -> int:
    return (day - date(2011, 1, 1)).days * 1440


@pytest.mark.traps(10)
def test_a_product_added_later_comes_with_its_whole_history(warehouse: Warehouse) -> None:
    first = fetch_at(a_product(series={"NEW": [START, 5]}), FIRST_NIGHT)
    added = fetch_at(a_product("B0ADDED001", series={"NEW": [9, 6]}), FIRST_NIGHT + NIGHT)
    warehouse.load([line_of(first)])
    warehouse.run_up_to("fct_price_history_daily")
    warehouse.load([line_of(added)])
    warehouse.run_up_to("fct_price_history_daily")
    (row,) = warehouse.query(
        "select min(date)::varchar, count(*) from MART.fct_price_history_daily"
        " where asin = 'B0ADDED001'"
    )
    assert row == ("2011-01-01", (FIRST_NIGHT.date() - date(2011, 1, 1)).days + 1)


@pytest.mark.traps(6)
def test_a_file_loaded_again_replaces_its_rows_and_a_second_delivery_changes_nothing(
    new_warehouse: NewWarehouse,
) -> None:
    first = fetch_at(a_product(series={"NEW": [START, 5], "AMAZON": [START, 6]}), FIRST_NIGHT)
    gone = fetch_at(a_product("B0GONE0001", series={"NEW": [START, 7]}), FIRST_NIGHT)
    corrected = fetch_at(a_product(series={"NEW": [START, 8, START + 9]}), FIRST_NIGHT)
    replaced, fresh = new_warehouse(), new_warehouse()
    replaced.load([line_of(first, "a.gz", 1), line_of(gone, "a.gz", 2)])
    replaced.run()
    replaced.forget("a.gz")
    after = [replace(line_of(corrected, "a.gz"), load_id="load-2")]
    replaced.load(after)
    replaced.run()
    fresh.load(after)
    fresh.run()
    before = tables(replaced)
    assert_same(before, tables(fresh))

    # And delivered once more, under another name.
    replaced.load([replace(line_of(corrected, "c.gz"), load_id="load-3")])
    replaced.build()
    again = tables(replaced)
    about_lines = {"STG.stg_keepa_record", "STG.stg_keepa_fetch", "STG.stg_keepa_history"}
    for name in before.keys() - about_lines:
        assert again[name] == before[name], name
    assert len(again["STG.stg_keepa_fetch"]) == 2


@pytest.mark.traps(13)
def test_one_asin_on_two_marketplaces_is_two_products(warehouse: Warehouse) -> None:
    series = {"NEW": [START, 4900]}
    warehouse.load(
        [
            line_of(fetch_at(a_product(domain_id=1, series=series), FIRST_NIGHT), "us.gz"),
            line_of(fetch_at(a_product(domain_id=5, series=series), FIRST_NIGHT), "jp.gz"),
        ]
    )
    warehouse.run_up_to("fct_price_history_daily")
    rows = warehouse.query(
        "select domain_id, max(price_close), max(currency_code), count(*)"
        " from MART.fct_price_history_daily group by 1 order by 1"
    )
    assert [(row[0], float(row[1]), *row[2:]) for row in rows] == [
        (1, 49.0, "USD", 9),
        (5, 4900.0, "JPY", 9),
    ]


def test_a_build_without_anything_new_writes_nothing(warehouse: Warehouse) -> None:
    """The cost of a night depends on its new rows: no row is rewritten if none is new."""
    channel = CHANNEL_BY_NAME["BUY_BOX_SHIPPING"]
    assert channel.stride == 3
    warehouse.load(
        [line_of(fetch_at(a_product(series={channel.name: [START, 5, 0]}), FIRST_NIGHT))]
    )
    warehouse.run_up_to("core_keepa_price_daily")
    before = warehouse.query("select rowid, * from CORE.core_keepa_price_daily order by rowid")
    other = fetch_at(a_product("B0OTHER001", series={"NEW": [START, 5]}), FIRST_NIGHT)
    warehouse.load([replace(line_of(other), load_id="load-2")])
    warehouse.run_up_to("core_keepa_price_daily")
    after = warehouse.query("select rowid, * from CORE.core_keepa_price_daily order by rowid")
    assert after[: len(before)] == before
    assert len(after) > len(before)


@pytest.mark.xdist_group("three nights")
def test_a_night_opens_its_payloads_once(three_nights: ThreeNights) -> None:
    """Other models, products without offers or series, and refusals or requests of an earlier
    night do not cause RAW to be read again."""
    assert three_nights.readers_of_raw == [{"stg_keepa_record", "stg_keepa_payload"}] * 3
    warehouse = three_nights.warehouse
    refused = warehouse.query(
        "select source_file, file_row_number, scope, series from STG.stg_keepa_quarantine"
        " order by all"
    )
    assert refused == [
        (f"{number}.gz", 3, *what)
        for number in range(3)
        for what in (("attribute", "brand"), ("point", "NEW"))
    ]
    videos = warehouse.query("select asin, url, fetched_at from STG.stg_keepa_video")
    assert videos == [("B0ONCE0001", "a", FIRST_NIGHT)]


def test_a_refusal_is_listed_under_the_file_that_its_fetch_is_read_from(
    warehouse: Warehouse,
) -> None:
    """A file comes a second time, under a name that sorts before the first."""
    fetch = fetch_at(a_product(series={"NEW": [START, "x"]}), FIRST_NIGHT)
    for number, name in enumerate(("b.gz", "a.gz")):
        warehouse.load([replace(line_of(fetch, name), load_id=f"load-{number}")])
        warehouse.run_up_to("stg_keepa_quarantine")
        refused = warehouse.query("select source_file, series from STG.stg_keepa_quarantine")
        assert refused == [(name, "NEW")]


def test_a_payload_of_an_earlier_load_is_read_from_raw(warehouse: Warehouse) -> None:
    """The newer file is gone when the next night loads another product: the older one counts."""
    nights = (
        a_product(series={"NEW": [START, 5]}),
        a_product(series={"NEW": [START, 7]}),
        a_product("B0PADDLE02", series={"AMAZON": [START, 6]}),
    )
    for number, product in enumerate(nights):
        fetch = fetch_at(product, FIRST_NIGHT + timedelta(days=number))
        if number == 2:
            warehouse.forget("1.gz")
        warehouse.load([replace(line_of(fetch, f"{number}.gz"), load_id=f"load-{number}")])
        warehouse.run_up_to(*(() if number == 2 else ("stg_keepa_merged_series",)))
    assert warehouse.readers_of_raw() > {"stg_keepa_record", "stg_keepa_payload"}
    assert points(warehouse, "AMAZON") == {START: 6}
    assert points(warehouse, "NEW") == {START: 5}
