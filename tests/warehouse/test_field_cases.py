"""Faults of Keepa's answers seen in the field, loaded as two nights of one warehouse.

Each case has its own file, so that the check `refusals_are_few` judges it alone. If a folder
`field_cases` with whole payloads lies beside the real ones (`VP_KEEPA_SAMPLES`), they are loaded
too.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest

from tests.support.settings import fixed
from tests.support.warehouse.building import Project, Warehouse, fetch_at, line_of
from tests.support.warehouse.products import a_product, csv_of
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.sources.keepa.vocabulary import minute_of
from veracitypro_pipeline.stage_values.landing import LandedFile, LandingManifest
from veracitypro_pipeline.transform.refusals import build_checks

(REFUSALS_ARE_FEW,) = build_checks(KEEPA)

# For the as-of days 18 and 19 of November 2026.
NIGHTS: Final = (datetime(2026, 11, 19, 0, 12), datetime(2026, 11, 20, 0, 12))
DAYS: Final = tuple(at.date() - timedelta(days=1) for at in NIGHTS)
# 18:00 of the first of them, on Keepa's clock.
EVENING: Final = minute_of(datetime(2026, 11, 18, 18, 0, tzinfo=UTC))
PRODUCTS: Final = 8
SILENT: Final = object()  # In place of a value: without the key.
LARGEST_LONG: Final = 2**63 - 1

Change = Mapping[str, Any]


def listing(asin: str, **fields: Any) -> dict[str, Any]:
    """A product with all fields that these cases change; a SILENT field is left out."""
    product = a_product(
        asin,
        title=f"Paddle {asin[-2:]}",
        brand="Dinkforge",
        manufacturer=None,
        model=None,
        partNumber=None,
        color="red",
        size=None,
        binding=None,
        productGroup=None,
        parentAsin=None,
        rootCategory=3375251,
        availabilityAmazon=-1,
        categoryTree=[{"catId": 3375251, "name": "Sports"}, {"catId": 11, "name": "Paddles"}],
        csv=csv_of({"NEW": [EVENING, 1899], "SALES": [EVENING, 500]}),
        salesRanks={"77": [EVENING, 5]},
        buyBoxSellerIdHistory=[str(EVENING), "A1FIELDCASE"],
        offers=[an_offer(1), an_offer(2)],
        liveOffersOrder=[1, 0],
        offersSuccessful=True,
    )
    return {name: value for name, value in (product | fields).items() if value is not SILENT}


def an_offer(offer_id: int, **fields: Any) -> dict[str, Any]:
    offer = {
        "offerId": offer_id,
        "sellerId": f"A{offer_id}FIELDCASE",
        "condition": 1,
        "lastSeen": EVENING + 365,
        "isPrime": False,
        "isFBA": True,
        "isAmazon": False,
        "offerCSV": [EVENING, 2500, 0],
    }
    return {name: value for name, value in (offer | fields).items() if value is not SILENT}


NEITHER: Final[Change] = {"csv": SILENT, "salesRanks": SILENT, "buyBoxSellerIdHistory": SILENT}
NO_HISTORIES: Final[Change] = {**NEITHER, "offers": [], "liveOffersOrder": []}
OTHER_TYPES: Final[Change] = {
    "title": {"en": "Paddle"},
    "brand": ["Dinkforge"],
    "categoryTree": {"0": {"catId": 3375251, "name": "Sports"}},
}


@dataclass(frozen=True)
class Gate:
    """The change of the second night in all products, or in the first, and the check's result."""

    change: Change
    severity: dg.AssetCheckSeverity | None  # None if it is green.
    said: str = ""
    of_one: bool = False


RED, WARNS = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
SOME: Final = ", ".join(f"B0{{key}}0{number}" for number in range(5)) + " and 3 more"
ONE: Final = "B0{key}00"
GATES: Final = {
    "AAAAAA": Gate({}, None),
    "TYPEAL": Gate(
        OTHER_TYPES,
        RED,
        f"attributes of 8 of 8 products; brand of {SOME}; categoryTree of {SOME}; title of {SOME}.",
    ),
    "TYPEON": Gate({"title": 7}, WARNS, f"attributes of 1 of 8 products; title of {ONE}.", True),
    "NODEAL": Gate(
        {"categoryTree": [{"catId": 3375251, "name": {"en": "Sports"}}]},
        RED,
        f"attributes of 8 of 8 products; categoryTree.name of {SOME}.",
    ),
    "SHAPEO": Gate(
        {"offers": [an_offer(1, sellerId=7), an_offer(2, sellerId=7)]},
        RED,
        f"attributes of 8 of 8 products; offers.sellerId of {SOME}.",
    ),
    "OFFERL": Gate({"offers": {"1": an_offer(1)}}, RED, "8 of 40 histories"),
    "NAMEAL": Gate(
        {"title": SILENT, "name": "Paddle"},
        RED,
        f"Missing: 8 of 8 products that had title came without it: {SOME}.",
    ),
    "NAMEON": Gate(
        {"title": SILENT}, WARNS, f"1 of 8 products that had title came without it: {ONE}.", True
    ),
    "NULLAL": Gate({"color": None}, RED, "8 of 8 products that had color came without it"),
    "NULLON": Gate({"color": None}, None, of_one=True),
    "SELLER": Gate(
        {"offers": [an_offer(1, sellerId=SILENT)]},
        RED,
        f"8 of 8 products that had offers.sellerId came without it: {SOME}.",
    ),
    "HISTAL": Gate(
        NO_HISTORIES, RED, f"Missing: 8 of 8 products that had histories came without any: {SOME}."
    ),
    "HISTON": Gate(
        NO_HISTORIES,
        WARNS,
        f"Missing: 1 of 8 products that had histories came without any: {ONE}.",
        True,
    ),
    "UNKNOW": Gate(
        {"productType": 4, **NO_HISTORIES, "title": None},
        RED,
        f"Missing: 8 of 8 products that had histories came without any: {SOME}.",
    ),
    "BOXALL": Gate(
        {"buyBoxSellerIdHistory": None},
        RED,
        f"Missing: 8 of 8 products that had buyBoxSellerIdHistory came without it: {SOME}.",
    ),
    "RANKAL": Gate(
        {"salesRanks": {}}, RED, f"8 of 8 products that had salesRanks came without it: {SOME}."
    ),
    "SLOTAL": Gate(
        {"csv": csv_of({"SALES": [EVENING, 500]})},
        RED,
        f"Missing: 8 of 8 products that had NEW came without it: {SOME}.",
    ),
    "EMPTYS": Gate(
        {"csv": csv_of({"SALES": [EVENING, 500], "NEW": []})},
        RED,
        f"8 of 8 products that had NEW came without it: {SOME}.",
    ),
    "NOTASK": Gate(
        {"offers": None, "liveOffersOrder": None, "offersSuccessful": False},
        RED,
        f"Missing: 8 of 8 products that had offers came without it: {SOME}.",
    ),
}

RECORDED: Final = (
    "attribute_types_changed",
    "histories_missing_for_all",
    "offers_all_gone",
    "root_category_unknown",
    "lightning_deal_ends_later",
)

LISTED: Final = [an_offer(1), an_offer(2)]
NOT_SUCCESSFUL: Final[Change] = {"offersSuccessful": False}
# The second night's fields about two offers that were live -> which of them still are.
OFFERS: Final[dict[str, tuple[Change, set[int]]]] = {
    "one listed": ({"offers": [an_offer(1)], "liveOffersOrder": [0]}, {1}),
    "listed as history": ({"offers": LISTED, "liveOffersOrder": [1]}, {2}),
    "none": ({"offers": [], "liveOffersOrder": []}, set()),
    "none, and no order": ({"offers": [], "liveOffersOrder": None}, set()),
    "null, and got": ({"offers": None, "liveOffersOrder": None}, set()),
    "none, without a word of success": (
        {"offers": [], "liveOffersOrder": [], "offersSuccessful": SILENT},
        set(),
    ),
    "history alone": ({"offers": LISTED, "liveOffersOrder": []}, set()),
    "not asked": ({"offers": None, "liveOffersOrder": None, **NOT_SUCCESSFUL}, {1, 2}),
    "not asked, absent": ({"offers": SILENT, "liveOffersOrder": SILENT, **NOT_SUCCESSFUL}, {1, 2}),
    "failed, empty": ({"offers": [], "liveOffersOrder": [], **NOT_SUCCESSFUL}, {1, 2}),
    "failed, old ones": ({"offers": LISTED, "liveOffersOrder": None, **NOT_SUCCESSFUL}, {1, 2}),
    "failed, an old order": ({"offers": LISTED, "liveOffersOrder": [0], **NOT_SUCCESSFUL}, {1, 2}),
    "no order": ({"offers": LISTED, "liveOffersOrder": SILENT}, {1, 2}),
    "an order that cannot be read": ({"offers": LISTED, "liveOffersOrder": ["x"]}, {1, 2}),
    "offers that cannot be read": ({"offers": {}, "liveOffersOrder": [0]}, {1, 2}),
    "offers without ids": ({"offers": [an_offer(1, offerId="x")], "liveOffersOrder": [0]}, {1, 2}),
    "unknown ASIN": ({"productType": 4, "offers": [], "liveOffersOrder": []}, {1, 2}),
}
ASIN_OF: Final = {name: f"B0OFFERS{number:02}" for number, name in enumerate(OFFERS)}

NOON: Final = EVENING - 6 * 60
SINGLES: Final[dict[str, Change]] = {
    "B0ROOTLONG": {"rootCategory": LARGEST_LONG, "categoryTree": None},
    "B0ROOTZERO": {"rootCategory": 0, "categoryTree": None},
    "B0ROOTNONE": {"rootCategory": -1, "categoryTree": None},
    "B0NODELONG": {
        "categoryTree": [{"catId": LARGEST_LONG, "name": "?"}, {"catId": 0, "name": "?"}],
        "salesRanks": {
            str(LARGEST_LONG): [NOON, 1],
            "0": [NOON, 2],
            "-1": [NOON, 3],
            "5": [NOON, 4],
        },
    },
    # The same node under two parents and names: by the ASIN, whichever answer came first.
    "B0NODETWOA": {"categoryTree": [{"catId": 21, "name": "A"}, {"catId": 99, "name": "Of A"}]},
    "B0NODETWOB": {"categoryTree": [{"catId": 22, "name": "B"}, {"catId": 99, "name": "Of B"}]},
    "B0APLUSTXT": {"aPlus": [{"module": [{"text": ["", "  ", " trimmed "], "image": ["i"]}]}]},
    "B0REFUSED1": {"csv": csv_of({"NEW": [NOON - 1440, 1000, NOON, "?"]})},
}


def products_of(night: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """File and product of a night."""
    for key, gate in GATES.items():
        for number in range(PRODUCTS):
            is_changed = night == 1 and not (gate.of_one and number)
            yield key, listing(f"B0{key}{number:02}", **(gate.change if is_changed else {}))
    for name, (change, _) in OFFERS.items():
        yield "offers", listing(ASIN_OF[name], **(change if night == 1 else {}))
    for asin, change in SINGLES.items():
        yield "singles", listing(asin, offers=None, liveOffersOrder=None, **change)
    for file in recorded(night):
        for product in json.loads(file.read_text())["products"]:
            yield file.parent.name, product


def recorded(night: int) -> list[Path]:
    """The files with the whole payloads of a night."""
    folder = Settings().keepa_samples.parent / "field_cases"
    return [
        file for case in RECORDED if (file := folder / case / f"night{night + 1}.json").exists()
    ]


@pytest.fixture(scope="module")
def played(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(project, tmp_path_factory.mktemp("field cases") / "all")
    for night, at in enumerate(NIGHTS):
        lines = []
        for row, (file, product) in enumerate(products_of(night)):
            # The second of the two products with one node is read first.
            later = timedelta(milliseconds=1 if product["asin"] == "B0NODETWOA" else 2)
            line = line_of(fetch_at(product, at + later), file_of(file, night), row)
            lines.append(replace(line, load_id=f"load-{night}"))
        warehouse.load(lines)
        warehouse.run()
    return warehouse


def file_of(key: str, night: int) -> str:
    return f"{key}-{night}.gz"


def judged(warehouse: Warehouse, key: str, night: int) -> dg.AssetCheckResult:
    file = LandedFile(
        key=file_of(key, night), etag="e", size_bytes=1, lines=PRODUCTS, sync_ids={"1": PRODUCTS}
    )
    manifest = LandingManifest(
        as_of_date=DAYS[night], job_id=1, records_reported=PRODUCTS, files=(file,)
    )
    settings = Settings.load(warehouse_file=warehouse.path)
    result = REFUSALS_ARE_FEW(manifest, warehouse=WarehouseResource(settings=fixed(settings)))
    assert isinstance(result, dg.AssetCheckResult)
    return result


pytestmark = pytest.mark.xdist_group("field cases")


@pytest.mark.parametrize("key", GATES)
def test_the_gate_names_what_many_products_lack_and_warns_of_one(
    key: str, played: Warehouse
) -> None:
    gate = GATES[key]
    first = judged(played, key, 0)
    assert first.passed, f"nothing was known before: {first.description}"
    result = judged(played, key, 1)
    assert result.passed is (gate.severity is None), result.description
    if gate.severity is not None:
        assert result.severity is gate.severity, result.description
        assert gate.said.format(key=key) in str(result.description)


def test_a_dimension_keeps_what_it_knew(played: Warehouse) -> None:
    """Also if the answer lacks the key. A null in the answer becomes null."""
    rows = played.query(
        "select asin, title, brand, category_name from MART.dim_product where title is not null"
    )
    known = {row[0]: row[1:] for row in rows}
    for key in ("TYPEAL", "TYPEON", "NAMEAL", "NODEAL", "UNKNOW"):
        for number in range(PRODUCTS):
            expected = (f"Paddle {number:02}", "Dinkforge", "Sports")
            assert known[f"B0{key}{number:02}"] == expected
    history = played.query(
        "select count(*), count(distinct asin) from CORE.core_keepa_product_history"
        " where asin like 'B0TYPE%' or asin like 'B0NAME%'"
    )
    assert history == [(4 * PRODUCTS, 4 * PRODUCTS)]
    colors = played.query(
        "select distinct color from CORE.core_keepa_product where asin like 'B0NULLAL%'"
    )
    assert colors == [(None,)]
    sellers = played.query(
        "select distinct seller_id from CORE.core_keepa_offer"
        " where (asin like 'B0SHAPEO%' or asin like 'B0SELLER%') and offer_id = 1"
    )
    assert sellers == [("A1FIELDCASE",)]
    refused = played.query(
        "select series, count(*) from STG.stg_keepa_quarantine where scope = 'attribute'"
        f" and source_file = '{file_of('TYPEAL', 1)}' group by all order by all"
    )
    assert refused == [("brand", 8), ("categoryTree", 8), ("title", 8)]


def test_no_table_has_a_day_for_which_no_series_came(played: Warehouse) -> None:
    for table in (
        "fct_price_history_daily",
        "fct_rank_history_daily",
        "fct_category_rank_history_daily",
        "fct_buybox_history_daily",
    ):
        (last,) = played.query(f"select max(date) from MART.{table} where asin like 'B0HISTAL%'")
        assert last == (DAYS[0],), table
    (close,) = played.query(
        "select price_close::double from MART.fct_price_history_daily"
        f" where asin = 'B0HISTAL00' and price_channel = 'NEW' and date = '{DAYS[0]}'"
    )
    assert close == (18.99,)


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.traps(19)
def test_offers_are_live_by_the_newest_fetch_that_lists_live_offers(
    name: str, played: Warehouse
) -> None:
    rows = played.query(
        f"select offer_id from CORE.core_keepa_offer where asin = '{ASIN_OF[name]}' and is_live"
    )
    assert {offer_id for (offer_id,) in rows} == OFFERS[name][1]


def test_a_gone_offer_has_a_price_until_it_was_last_seen(played: Warehouse) -> None:
    rows = played.query(
        "select date, price_close::double, minutes_priced from MART.fct_offer_price_daily"
        f" where asin = '{ASIN_OF['none']}' and offer_id = 1 order by date"
    )
    assert rows == [(DAYS[0], 25.0, 360), (DAYS[1], None, 6)]


def test_an_unknown_category_is_null_and_not_refused(played: Warehouse) -> None:
    roots = played.query(
        "select asin, root_category_id from CORE.core_keepa_product where asin like 'B0ROOT%'"
    )
    assert dict(roots) == dict.fromkeys(("B0ROOTLONG", "B0ROOTZERO", "B0ROOTNONE"))
    ranks = played.query(
        "select distinct category_id from STG.stg_keepa_rank where asin = 'B0NODELONG'"
        " and category_id is not null"
    )
    assert ranks == [(5,)]
    refused = played.query(
        "select asin, series from STG.stg_keepa_quarantine join STG.stg_keepa_fetch"
        " using (source_file, file_row_number) where source_file like 'singles%'"
    )
    assert set(refused) == {("B0REFUSED1", "NEW")}


def test_a_category_under_two_parents_is_that_of_the_first_product(played: Warehouse) -> None:
    rows = played.query(
        "select category_name, parent_category_id from CORE.core_keepa_category"
        " where category_id = 99"
    )
    assert rows == [("Of A", 21)]


def test_texts_of_a_plus_content_are_trimmed_like_all_texts(played: Warehouse) -> None:
    rows = played.query(
        "select position, asset from STG.stg_keepa_aplus_module"
        " where asin = 'B0APLUSTXT' and asset_type = 'text' order by position"
    )
    assert rows == [(0, None), (1, None), (2, "trimmed")]


def test_after_a_refused_point_the_price_is_unknown(played: Warehouse) -> None:
    rows = played.query(
        "select date, price_close::double, close_state, minutes_priced, currency_code"
        " from MART.fct_price_history_daily where asin = 'B0REFUSED1' order by date"
    )
    assert rows == [
        (DAYS[0] - timedelta(days=1), 10.0, "ok", 720, "USD"),
        (DAYS[0], None, "unknown", 720, "USD"),
        (DAYS[1], None, "unknown", 0, "USD"),
    ]


# --- Whole payloads ------------------------------------------------------------------------------


@pytest.mark.skipif(not recorded(0), reason="no folder field_cases beside VP_KEEPA_SAMPLES")
def test_the_recorded_cases_come_out_as_expected(played: Warehouse) -> None:
    assert judged(played, "attribute_types_changed", 1).severity is RED
    titles = played.query(
        "select title, brand, category_name from MART.dim_product where asin like 'B0FIELDA%'"
    )
    assert sorted(titles) == [
        (f"Paddle {number}", "Dinkforge", "Sports & Outdoors") for number in range(8)
    ]

    result = judged(played, "histories_missing_for_all", 1)
    assert result.severity is RED
    assert "8 of 8 products that had histories came without any" in str(result.description)
    (last,) = played.query(
        "select max(date) from MART.fct_buybox_history_daily where asin like 'B0FIELDH%'"
    )
    assert last == (DAYS[0],)

    live = played.query(
        "select asin, offer_id from CORE.core_keepa_offer where asin like 'B0FIELDG%' and is_live"
    )
    assert live == [("B0FIELDG02", 1)]
    gone = played.query(
        "select distinct price_close, minutes_priced from MART.fct_offer_price_daily"
        f" where asin = 'B0FIELDG01' and date = '{DAYS[1]}'"
    )
    assert gone == [(None, 6)]

    assert judged(played, "root_category_unknown", 0).passed
    roots = played.query(
        "select distinct root_category_id from CORE.core_keepa_product where asin like 'B0FIELDR%'"
    )
    assert roots == [(None,)]

    deals = played.query(
        "select asin, date, price_close::double, close_state, minutes_priced, change_count"
        " from MART.fct_price_history_daily where price_channel = 'LIGHTNING_DEAL'"
        f" and asin like 'B0FIELDL%' and date >= '{DAYS[0]}' order by all"
    )
    assert deals == [
        ("B0FIELDL01", DAYS[0], 14.99, "ok", 240, 1),
        ("B0FIELDL01", DAYS[1], None, "none", 150, 1),
        ("B0FIELDL02", DAYS[0], None, "none", 0, 0),
        ("B0FIELDL02", DAYS[1], None, "none", 0, 0),
    ]
    assert judged(played, "lightning_deal_ends_later", 1).passed
