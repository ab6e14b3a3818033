"""A product whose numbers are written in every way that JSON has for a whole number."""

import json
import re
from random import Random
from typing import Final

from tests.support.warehouse.products import a_product

ASIN: Final = "B0NUMBERS0"
# By series: minute to value.
Histories = dict[str, dict[int, int]]
_VALUES: Final = (0, 1, 7, 10, 100, 1_000, 2_147_483_647, -1, -2)
_NUMBER: Final = re.compile(r'"[^"]*"|-?\d+')


def spellings_of(number: int) -> list[str]:
    """JSON for one whole number; text as well, in which Keepa writes some."""
    return [
        *(f"{number}", f"{number}.0", f"{number}.000", f'"{number}"'),
        *(f"{number}e0", f"{number}.0E+00", f"{number / 100:.2f}e2", f"{number * 100}e-2"),
    ]


def spelled_product(random: Random) -> tuple[str, Histories]:
    """The JSON of the product, and what some of its histories say."""
    histories = {
        series: {minute: random.choice(_VALUES) for minute in range(0, 200, 3)}
        for series in ("AMAZON", "salesRanks:77", "monthlySoldHistory")
    }
    flat = {
        series: [number for point in points.items() for number in point]
        for series, points in histories.items()
    }
    product = a_product(
        ASIN,
        series={"AMAZON": flat["AMAZON"]},
        salesRanks={"77": flat["salesRanks:77"]},
        monthlySoldHistory=flat["monthlySoldHistory"],
        couponHistory=[3, 100, -5, 6, 0, 0],
        buyBoxSellerIdHistory=[3, -1, 6, -2, 9, -1],
        offers=[{"offerId": 7, "condition": 1, "lastSeen": 90, "offerCSV": [3, 700, 0]}],
        liveOffersOrder=["0"],
        trackingSince=30,
        rootCategory=12,
        categoryTree=[{"catId": 12, "name": "Balls"}],
    )
    text = json.dumps(product)
    return _NUMBER.sub(lambda token: _spelled(random, token.group()), text), histories


def _spelled(random: Random, token: str) -> str:
    return token if token.startswith('"') else random.choice(spellings_of(int(token)))
