"""Payloads nobody promised us not to get, and what must become of them.

Each case is a product of its own, so that none hides another.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from tests.support.warehouse.products import a_product, csv_of

HOSTILE_NIGHT: Final = datetime(2026, 1, 15, 0, 10)
HOSTILE_AS_OF: Final = date(2026, 1, 14)

Refusal = tuple[str | None, int | None, str]  # Series, position, reason.
Kept = dict[str, list[tuple[int, int, int | None]]]  # Series -> minute, value, second.


@dataclass(frozen=True)
class Case:
    name: str
    fields: dict[str, Any]
    kept: Kept
    refused: tuple[Refusal, ...] = ()


def prices(*numbers: object, name: str = "NEW") -> dict[str, Any]:
    return {"csv": csv_of({name: list(numbers)})}


# Fifteen thousand pairs, half of what real products have in their longest series.
YEARS = [number for minute in range(15_000) for number in (minute, minute % 1000)]

CASES = (
    Case("csv absent", {"csv": None}, {}),
    Case("csv empty", {"csv": []}, {}),
    Case("csv of 32", {"csv": csv_of({"NEW": [5, 100]}, 32)}, {"NEW": [(5, 100, None)]}),
    Case(
        "csv of 34",
        {"csv": csv_of({"PRIME_EXCL": [5, 100]}, 34)},
        {"PRIME_EXCL": [(5, 100, None)]},
    ),
    Case(
        "csv of 40: what we have no name for is not read",
        {"csv": [*csv_of({"NEW": [5, 100]}), [1, 2], "?", {}, [None]]},
        {"NEW": [(5, 100, None)]},
    ),
    Case("csv is text", {"csv": "none"}, {}, (("csv", None, "histories_not_a_collection"),)),
    Case("csv is an object", {"csv": {}}, {}, (("csv", None, "histories_not_a_collection"),)),
    Case(
        "a series is text, another an object, a third a number",
        {"csv": csv_of({"AMAZON": "1,2", "NEW": {"1": 2}, "SALES": 7, "USED": [5, 1]})},
        {"USED": [(5, 1, None)]},
        (
            ("AMAZON", None, "series_not_an_array"),
            ("NEW", None, "series_not_an_array"),
            ("SALES", None, "series_not_an_array"),
        ),
    ),
    Case(
        "events are no step function and are left alone",
        {"csv": csv_of({"COUNT_NEW": [5, 0], "EXTRA_INFO_UPDATES": [1]})},
        {"COUNT_NEW": [(5, 0, None)]},
    ),
    Case(
        "a buy box that nobody, an unnamed seller, a seller, and damage hold",
        {
            "buyBoxSellerIdHistory": [
                "5",
                "-1",
                "6",
                "-2",
                "7",
                "A2BPI0XN6XJLN9",
                8,
                None,
                "x",
                "A1",
            ]
        },
        {"buyBoxSellerIdHistory": [(5, -1, None), (6, -2, None), (7, 0, None)]},
        (
            ("buyBoxSellerIdHistory", 3, "seller_malformed"),
            ("buyBoxSellerIdHistory", 4, "minute_not_an_integer"),
        ),
    ),
    Case(
        "a used buy box: a seller, nobody, no condition or fulfilment, and a cut end",
        {
            "buyBoxUsedHistory": [
                *("5", "A2BPI0XN6XJLN9", "4", "1"),
                *("6", "", "", ""),
                *("7", "A2BPI0XN6XJLN9", "", "0"),
                *("8", "A2BPI0XN6XJLN9", "-4", "0"),
                *("9", "A2BPI0XN6XJLN9", "4", ""),
                *("10", "A2BPI0XN6XJLN9", "4", "2"),
                *("11", True, "4", "1"),
                *("12", "A2BPI0XN6XJLN9", "2"),
            ]
        },
        {"buyBoxUsedHistory": [(5, 4, 1), (6, -1, None)]},
        (
            ("buyBoxUsedHistory", 2, "seller_malformed"),
            ("buyBoxUsedHistory", 3, "value_out_of_range"),
            ("buyBoxUsedHistory", 4, "second_value_not_an_integer"),
            ("buyBoxUsedHistory", 5, "second_value_out_of_range"),
            ("buyBoxUsedHistory", 6, "seller_malformed"),
            ("buyBoxUsedHistory", 7, "point_incomplete"),
        ),
    ),
    Case(
        "coupons are negative for percent, of which there are a hundred; badges go",
        {
            "couponHistory": [5, -10, 0, 6, 300, -5, 7, -100, -100, 8, -101, 0, 9, 0, -101],
            "monthlySoldHistory": [5, 50, 6, -1],
        },
        {
            "couponHistory": [(5, -10, 0), (6, 300, -5), (7, -100, -100)],
            "monthlySoldHistory": [(5, 50, None), (6, -1, None)],
        },
        (
            ("couponHistory", 3, "value_out_of_range"),
            ("couponHistory", 4, "second_value_out_of_range"),
        ),
    ),
    Case(
        "offers with and without an id, and with the same twice",
        {
            "offers": [
                {"offerId": 3, "offerCSV": [5, 100, 0, 6, 90, -2], "stockCSV": [5, 2]},
                {"offerCSV": [5, 1, 0]},
                {"offerId": 3, "offerCSV": [5, 2, 0]},
                {"offerId": "4", "offerCSV": None, "stockCSV": "?"},
                "no offer",
                None,
                {"offerId": "#1", "offerCSV": [5, 3, 0]},
                {"offerId": 5.5},
            ]
        },
        {"offerCSV:3": [(5, 100, 0), (6, 90, -2)], "stockCSV:3": [(5, 2, None)]},
        (
            ("offers:#1", None, "offer_id_unusable"),
            ("offers:#2", None, "offer_id_unusable"),
            ("offers:#4", None, "offer_id_unusable"),
            ("offers:#6", None, "offer_id_unusable"),
            ("offers:#7", None, "offer_id_unusable"),
            ("stockCSV:4", None, "series_not_an_array"),
        ),
    ),
    Case("offers are text", {"offers": "?"}, {}, (("offers", None, "histories_not_a_collection"),)),
    Case("an empty series", prices(), {}),
    Case("one point: gone", prices(5, -1), {"NEW": [(5, -1, None)]}),
    Case("unsorted", prices(9, 3, 5, 1, 7, 2), {"NEW": [(5, 1, None), (7, 2, None), (9, 3, None)]}),
    Case(
        "a minute twice: the later position counts",
        prices(5, 1, 5, 2, 7, 3, 5, 4),
        {"NEW": [(5, 4, None), (7, 3, None)]},
    ),
    Case(
        "a cut pair",
        prices(5, 1, 7),
        {"NEW": [(5, 1, None)]},
        (("NEW", 1, "point_incomplete"),),
    ),
    # What is kept of a refused point must not cost the whole history for each of its points.
    Case(
        "a cut pair after many years",
        prices(*YEARS, 30_000),
        {"NEW": [(minute, minute % 1000, None) for minute in YEARS[::2]]},
        (("NEW", len(YEARS) // 2, "point_incomplete"),),
    ),
    Case(
        "cut triples",
        {"csv": csv_of({"BUY_BOX_SHIPPING": [5, 1, 0, 7, 2], "NEW_FBM_SHIPPING": [5]})},
        {"BUY_BOX_SHIPPING": [(5, 1, 0)]},
        (
            ("BUY_BOX_SHIPPING", 1, "point_incomplete"),
            ("NEW_FBM_SHIPPING", 0, "point_incomplete"),
        ),
    ),
    Case("integers as text", prices("5", "100", 7, "-1"), {"NEW": [(5, 100, None), (7, -1, None)]}),
    Case(
        "no integers",
        prices(1, 1.5, 2, None, 3, {"a": 1}, 4, [4], 5, True, 6, "six", 7, "7.0", 8, "", 9, 9),
        {"NEW": [(9, 9, None)]},
        tuple(("NEW", position, "value_not_an_integer") for position in range(8)),
    ),
    Case(
        "no integers for minutes",
        prices(None, 1, 2.5, 1, "x", 1, [], 1, 9, 9),
        {"NEW": [(9, 9, None)]},
        tuple(("NEW", position, "minute_not_an_integer") for position in range(4)),
    ),
    Case(
        "numbers beyond 32 bits",
        prices(10**10, 1, -5, 1, 7, 2**31, 8, -(2**31), 9, 2**31 - 1),
        {"NEW": [(9, 2**31 - 1, None)]},
        (
            ("NEW", 0, "minute_out_of_range"),
            ("NEW", 1, "minute_out_of_range"),
            ("NEW", 2, "value_out_of_range"),
            ("NEW", 3, "value_out_of_range"),
        ),
    ),
    Case(
        "the largest numbers there can be, as ranks, as counts, and as a price with shipping",
        {
            "csv": csv_of(
                {
                    "SALES": [5, 2**31 - 1],
                    "COUNT_NEW": [5, 2**31 - 1],
                    "NEW_FBM_SHIPPING": [5, 2**31 - 1, 2**31 - 1],
                }
            ),
            "salesRanks": {"7": [5, 2**31 - 1]},
        },
        {
            "SALES": [(5, 2**31 - 1, None)],
            "COUNT_NEW": [(5, 2**31 - 1, None)],
            "NEW_FBM_SHIPPING": [(5, 2**31 - 1, 2**31 - 1)],
            "salesRanks:7": [(5, 2**31 - 1, None)],
        },
    ),
    Case(
        "numbers beyond everything",
        prices(10**30, 1, 7, -(10**30), 9, 9),
        {"NEW": [(9, 9, None)]},
        (("NEW", 0, "minute_not_an_integer"), ("NEW", 1, "value_not_an_integer")),
    ),
    Case(
        "shipping of all kinds",
        {"csv": csv_of({"BUY_BOX_SHIPPING": [1, 9, None, 2, 9, 10**12, 3, 9, -2, 4, 9, "5"]})},
        {"BUY_BOX_SHIPPING": [(3, 9, -2), (4, 9, 5)]},
        (
            ("BUY_BOX_SHIPPING", 0, "second_value_not_an_integer"),
            ("BUY_BOX_SHIPPING", 1, "second_value_out_of_range"),
        ),
    ),
    Case(
        "more than five stars",
        {"csv": csv_of({"RATING": [1, 51, 2, 50, 3, -1]})},
        {"RATING": [(2, 50, None), (3, -1, None)]},
        (("RATING", 0, "value_out_of_range"),),
    ),
    Case(
        "category ranks",
        {
            "salesRanks": {
                "9007199254740993": [5, 1],
                "x": [5, 1],
                # Two texts of one number would be two series with one key.
                "07": [5, 1],
                "7": None,
                "8": "no",
                "9": [5],
            }
        },
        {"salesRanks:9007199254740993": [(5, 1, None)]},
        (
            ("salesRanks:x", None, "category_id_not_an_integer"),
            ("salesRanks:07", None, "category_id_not_an_integer"),
            ("salesRanks:8", None, "series_not_an_array"),
            ("salesRanks:9", 0, "point_incomplete"),
        ),
    ),
    Case(
        "category ranks are a list",
        {"salesRanks": [1, 2]},
        {},
        (("salesRanks", None, "histories_not_a_collection"),),
    ),
    *(
        Case(
            f"product type {kind!r}", {"productType": kind, **prices(5, 1)}, {"NEW": [(5, 1, None)]}
        )
        for kind in (1, 2, 3, 5, 99, -1, None)
    ),
    *(
        Case(
            f"product type {kind!r}",
            {"productType": kind, **prices(5, 1)},
            {"NEW": [(5, 1, None)]},
            (("productType", None, "attribute_not_an_integer"),),
        )
        for kind in ("standard", [0])
    ),
    Case(
        "attributes of the wrong type",
        {
            "title": {"text": "x"},
            "brand": 7,
            "categoryTree": "Sports",
            "rootCategory": "none",
            "trackingSince": [1],
            "lastUpdate": 10**25,
            "listedSince": -1,
        },
        {},
        (
            ("title", None, "attribute_not_text"),
            ("brand", None, "attribute_not_text"),
            ("categoryTree", None, "attribute_not_an_array"),
            ("rootCategory", None, "attribute_not_an_integer"),
            ("trackingSince", None, "attribute_not_an_integer"),
            ("lastUpdate", None, "attribute_not_an_integer"),
        ),
    ),
    Case(
        "a category that is none",
        {"categoryTree": [7], "salesRanks": None, "parentAsin": ["x"]},
        {},
        (
            ("categoryTree[0]", None, "attribute_not_an_object"),
            ("parentAsin", None, "attribute_not_text"),
        ),
    ),
    Case(
        "numbers and instants beyond their range",
        {
            "productType": 2**31,
            "rootCategory": -7,
            "availabilityAmazon": 10**12,
            "trackingSince": 2**31,
            "lastUpdate": -30_000_000,
            # The sixteenth of November 2007.
            "listedSince": -1_643_350,
        },
        {},
        tuple(
            (name, None, "attribute_out_of_range")
            for name in (
                "productType",
                "rootCategory",
                "availabilityAmazon",
                "trackingSince",
                "lastUpdate",
            )
        ),
    ),
    Case(
        "content of the wrong type at every level",
        {
            "categoryTree": [{"catId": "x", "name": 5}, {"catId": 10**19, "name": "Balls"}],
            "variations": [{"asin": 5, "attributes": "Size", "image": {}}, []],
            "videos": [
                {"url": 7, "title": ["x"], "duration": "long", "creator": None},
                "video",
                {"url": "a", "duration": 10**12},
            ],
            "aPlus": [
                {
                    "fromManufacturer": "yes",
                    "module": [{"text": ["t", 7], "image": "i", "asin": [None, "A"]}, 5],
                },
                6,
                {"module": {}},
            ],
            "liveOffersOrder": ["x", -1, 1.5, 0],
        },
        {},
        (
            ("categoryTree[0].catId", None, "attribute_not_an_integer"),
            ("categoryTree[0].name", None, "attribute_not_text"),
            ("categoryTree[1].catId", None, "attribute_not_an_integer"),
            ("variations[0].asin", None, "attribute_not_text"),
            ("variations[0].attributes", None, "attribute_not_an_array"),
            ("variations[0].image", None, "attribute_not_text"),
            ("variations[1]", None, "attribute_not_an_object"),
            ("videos[0].url", None, "attribute_not_text"),
            ("videos[0].title", None, "attribute_not_text"),
            ("videos[0].duration", None, "attribute_not_an_integer"),
            ("videos[1]", None, "attribute_not_an_object"),
            ("videos[2].duration", None, "attribute_out_of_range"),
            ("aPlus[0].fromManufacturer", None, "attribute_not_boolean"),
            ("aPlus[0].module[0].text[1]", None, "attribute_not_text"),
            ("aPlus[0].module[0].image", None, "attribute_not_an_array"),
            ("aPlus[0].module[1]", None, "attribute_not_an_object"),
            ("aPlus[1]", None, "attribute_not_an_object"),
            ("aPlus[2].module", None, "attribute_not_an_array"),
            ("liveOffersOrder[0]", None, "attribute_not_an_integer"),
            ("liveOffersOrder[1]", None, "attribute_out_of_range"),
            ("liveOffersOrder[2]", None, "attribute_not_an_integer"),
        ),
    ),
    Case(
        "attributes of an offer of the wrong type",
        {
            "offers": [
                {"offerId": 1, "sellerId": 7, "condition": "new", "isPrime": 1, "isFBA": None},
                {"offerId": "2", "lastSeen": 10**12, "minOrderQty": [2], "isMAP": "true"},
            ],
            "liveOffersOrder": "none",
        },
        {},
        (
            ("offers:1.sellerId", None, "attribute_not_text"),
            ("offers:1.condition", None, "attribute_not_an_integer"),
            ("offers:1.isPrime", None, "attribute_not_boolean"),
            ("offers:2.lastSeen", None, "attribute_out_of_range"),
            ("offers:2.minOrderQty", None, "attribute_not_an_integer"),
            ("liveOffersOrder", None, "attribute_not_an_array"),
        ),
    ),
    Case("attributes are empty", {"title": "", "brand": "  ", "categoryTree": []}, {}),
)
TITLES = {
    "B0HTML0001": "<b>Paddle</b> &amp; Ball <script>alert('x')</script>",
    "B0HTML0002": "'; drop table RAW.KEEPA_RAW; --",
    "B0HTML0003": "Schläger 羽子板 \u0000\u202e {{ ref('x') }}",
}
ASIN_OF = {case.name: f"B0CASE{number:04d}" for number, case in enumerate(CASES)}

# Lines that name no product: what stands in RAW, and why it is refused.
BROKEN_LINES: tuple[tuple[str | None, str | None, str], ...] = (
    (None, '{"_airbyte_data": {"asin', "not_a_json_object"),
    (None, "", "not_a_json_object"),
    ("[]", None, "not_a_json_object"),
    ('"text"', None, "not_a_json_object"),
    ("null", None, "not_a_json_object"),
    ("{}", None, "domain_id_missing"),
    (" \t\r\n{}", None, "domain_id_missing"),
    (" \t\r\n[]", None, "not_a_json_object"),
    ('{"domainId": null, "asin": "B0PADDLE01"}', None, "domain_id_missing"),
    ('{"domainId": 7, "asin": "B0PADDLE01"}', None, "domain_id_unknown"),
    ('{"domainId": "us", "asin": "B0PADDLE01"}', None, "domain_id_unknown"),
    ('{"domainId": 1.5, "asin": "B0PADDLE01"}', None, "domain_id_unknown"),
    ('{"domainId": [1], "asin": "B0PADDLE01"}', None, "domain_id_unknown"),
    ('{"domainId": 1}', None, "asin_missing"),
    ('{"domainId": 1, "asin": null}', None, "asin_missing"),
    ('{"domainId": 1, "asin": 61958549}', None, "asin_not_text"),
    ('{"domainId": 1, "asin": ["B0PADDLE01"]}', None, "asin_not_text"),
    ('{"domainId": 1, "asin": ""}', None, "asin_malformed"),
    ('{"domainId": 1, "asin": "B0PADDLE0"}', None, "asin_malformed"),
    ('{"domainId": 1, "asin": "B0PADDLE01 "}', None, "asin_malformed"),
    ('{"domainId": 1, "asin": "B0PADDLE01\\n"}', None, "asin_malformed"),
)


def hostile_products() -> list[dict[str, Any]]:
    """One per case, then one per title."""
    products = [a_product(ASIN_OF[case.name], **case.fields) for case in CASES]
    return products + [a_product(asin, title=title) for asin, title in TITLES.items()]
