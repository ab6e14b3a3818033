"""A product with everything that models read, and what can stand in the place of a part."""

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import Any, Final

from tests.support.warehouse.products import a_product

Path = tuple[str | int, ...]

# In Keepa's first days, as the points of these products are: a day is a row.
FIRST_NIGHT: Final = datetime(2011, 1, 3, 0, 10)
FIRST_DAY: Final = date(2011, 1, 2)
SOUND: Final = "B000000000"


@dataclass(frozen=True)
class Mutated:
    """A product, and where it was changed."""

    product: dict[str, Any]
    changed: list[Path]


# What stands where something else was expected.
HOSTILE: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 7, -1, -2, -5, 1.5, 2**31, -(2**31), 10**17, 10**30, -(10**30)),
    *(
        "",
        " ",
        "7",
        "-1",
        "1.5",
        "true",
        "x",
        "\u0000\u0001",
        "<b>&amp;</b>",
        "'; drop table x; --",
    ),
    *([], [7], [[]], ["x", None, [7]], {}, {"7": 7}, {"a": {"b": [None]}}),
    [[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],
)
# Which line this is: `test_hostile_payloads` has what else can stand there.
_KEYS: Final = ("domainId", "asin")


def a_full_product(asin: str) -> dict[str, Any]:
    """Every history and attribute that a model reads, in Keepa's first days."""
    product = a_product(
        asin,
        series={
            "NEW": [5, 1999, 1500, -1],
            "BUY_BOX_SHIPPING": [5, 1999, 0, 1500, 1899, -1],
            "SALES": [5, 300],
            "RATING": [5, 45],
            "COUNT_REVIEWS": [5, 12],
            "COUNT_NEW": [5, 3],
        },
        brand="Brand",
        manufacturer="Maker",
        model="M1",
        partNumber="P1",
        color="red",
        size="L",
        binding="Sports",
        productGroup="Sports",
        parentAsin="B0PARENT01",
        rootCategory=3375251,
        availabilityAmazon=0,
        trackingSince=4,
        listedSince=-1_643_350,
        lastUpdate=2000,
        salesRanks={"77": [5, 30, 1500, 40]},
        monthlySoldHistory=[5, 50, 1500, -1],
        couponHistory=[5, -10, 0, 1500, 300, -5],
        buyBoxSellerIdHistory=["5", "A2BPI0XN6XJLN9", "1500", "-1"],
        buyBoxUsedHistory=["5", "A2BPI0XN6XJLN9", "4", "1", "1500", "", "", ""],
        categoryTree=[
            {"catId": 3375251, "name": "Sports"},
            {"catId": 9007199254740993, "name": "B"},
        ],
        variations=[
            {
                "asin": "B0PADDLE02",
                "image": "v.jpg",
                "attributes": [{"dimension": "Color", "value": "red"}],
            }
        ],
        videos=[
            {
                "url": "https://a",
                "title": "T",
                "name": "N",
                "creator": "Brand",
                "image": "i.jpg",
                "duration": 30,
            }
        ],
        aPlus=[
            {
                "fromManufacturer": True,
                "module": [
                    {
                        "text": ["t", "u"],
                        "image": ["a.jpg"],
                        "imageAltText": ["A"],
                        "video": ["v"],
                        "asin": ["B0PADDLE03"],
                    }
                ],
            }
        ],
        offers=[
            {
                "offerId": 3,
                "sellerId": "A2BPI0XN6XJLN9",
                "condition": 1,
                "lastSeen": 1900,
                "minOrderQty": 1,
                **dict.fromkeys(
                    ("isPrime", "isFBA", "isMAP", "isShippable", "isPreorder", "isPrimeExcl"), True
                ),
                **dict.fromkeys(("shipsFromChina", "isAmazon", "isWarehouseDeal"), False),
                "offerCSV": [5, 1999, 0, 1500, 1899, -2],
                "stockCSV": [5, 9],
            },
            {"offerId": 4, "offerCSV": [5, 2500, 0]},
        ],
        liveOffersOrder=[1],
    )
    product["csv"][15] = [5, 20]  # Events are not read.
    return product


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every part, the whole left out; empty slots of csv too, but for one."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = [(key, child) for key, child in value.items() if path or key not in _KEYS]
    elif isinstance(value, list):
        children = [(n, v) for n, v in enumerate(value) if v is not None or n == len(value) - 1]
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def with_part(product: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """The product with another value at `path`, if that place is (still) there."""
    changed = copy.deepcopy(product)
    at: Any = changed
    with suppress(KeyError, IndexError, TypeError):
        for key in path[:-1]:
            at = at[key]
        _ = at[path[-1]]
        at[path[-1]] = value
    return changed


def mutations(random: Random, several: int) -> Iterator[Mutated]:
    """A sound product, every hostile value in every place, then products with some at once."""
    everywhere = list(places(a_full_product(SOUND)))
    changes = [[(path, value)] for path in everywhere for value in HOSTILE]
    changes += [
        [(random.choice(everywhere), random.choice(HOSTILE)) for _ in range(random.randrange(2, 9))]
        for _ in range(several)
    ]
    for number, some in enumerate([[], *changes]):
        product = a_full_product(f"B0{number:08d}")
        for path, value in some:
            product = with_part(product, path, value)
        yield Mutated(product, [path for path, _ in some])
