"""Invented offers of a product, and the holders of its buy boxes.

As in `timeline.py`, each is one fixed sequence; a later `end` shows more of it.
"""

from random import Random
from typing import Any, Final

from veracitypro_pipeline.local.sources.keepa import timeline
from veracitypro_pipeline.local.sources.keepa.timeline import (
    MINUTES_PER_DAY,
    TICK,
    Rhythm,
)
from veracitypro_pipeline.sources.keepa.vocabulary import NO_VALUE, UNKNOWN

# Mean days between two new offers, and mean days that an offer lasts.
DAYS_BETWEEN_OFFERS: Final = 60
OFFER_DAYS: Final = 120
PRICE_CHANGES: Final = Rhythm(points_per_year=12, gap_hours=20, burst=3)
BUY_BOX_CHANGES: Final = Rhythm(points_per_year=18, gap_hours=12, burst=4)

NEW_CONDITION: Final = 1
USED_CONDITIONS: Final = (2, 3, 4, 5)
CONDITION_WORTH: Final = {1: 1.0, 2: 0.85, 3: 0.78, 4: 0.7, 5: 0.6}


def offers(
    random: Random, sellers: list[str], usual_price: float, since: int, end: int
) -> tuple[list[int], list[dict[str, Any]]]:
    """Positions of the live offers, cheapest first, and all offers seen until `end`."""
    found: list[dict[str, Any]] = []
    start = since
    while True:
        start += TICK * (1 + int(random.expovariate(2 / (DAYS_BETWEEN_OFFERS * MINUTES_PER_DAY))))
        # A random source per offer: how much of an offer is visible must not change the next ones.
        source = Random(random.getrandbits(64))
        if start > end:
            break
        found.append(_offer(source, len(found) + 1, sellers, usual_price, start, end))
    live = [place for place, offer in enumerate(found) if offer["lastSeen"] == end]
    return sorted(live, key=lambda place: _landed(found[place])), found


def _landed(offer: dict[str, Any]) -> int:
    price, shipping = offer["offerCSV"][-2:]
    return int(price + max(shipping, 0))


def _offer(
    random: Random, offer_id: int, sellers: list[str], usual_price: float, start: int, end: int
) -> dict[str, Any]:
    condition = random.choice((NEW_CONDITION, NEW_CONDITION, NEW_CONDITION, *USED_CONDITIONS))
    is_fba = random.random() < 0.5
    gone = start + TICK * int(random.expovariate(2 / (OFFER_DAYS * MINUTES_PER_DAY)))
    last_seen = min(gone, end)
    worth = usual_price * CONDITION_WORTH[condition] * random.uniform(0.9, 1.15)
    shipping = 0 if is_fba else random.choice((0, NO_VALUE, UNKNOWN, round(0.06 * usual_price)))
    seller = random.choice(sellers)
    values, stock = Random(random.getrandbits(64)), Random(random.getrandbits(64))
    times = timeline.minutes(random, PRICE_CHANGES, start, last_seen)
    prices = timeline.prices(values, times, worth, lambda _: 1.0, 0.0)
    stocks = [stock.randrange(1, 60) for _ in times]
    return {
        "offerId": offer_id,
        "sellerId": seller,
        "condition": condition,
        "conditionComment": None if condition == NEW_CONDITION else "Light signs of play.",
        "offerCSV": timeline.flat(times, prices, [shipping] * len(times)),
        "stockCSV": timeline.flat(times, stocks),
        "lastStockUpdate": times[-1],
        "lastSeen": last_seen,
        "minOrderQty": 1,
        "isAddonItem": False,
        "isAmazon": False,
        "isFBA": is_fba,
        "isMAP": False,
        "isPreorder": False,
        "isPrime": is_fba,
        "isPrimeExcl": False,
        "isScam": False,
        "isShippable": shipping != NO_VALUE,
        "isWarehouseDeal": False,
        "shipsFromChina": False,
    }


def buy_box_holders(random: Random, sellers: list[str], since: int, end: int) -> list[str]:
    """minute, seller, minute, seller, ...: "-1" if no seller qualifies, "-2" if unknown."""
    weights = [2.0**-place for place in range(len(sellers))]
    choices = [*sellers, str(NO_VALUE), str(UNKNOWN)]
    weights += [0.16 / 0.72 * sum(weights), 0.12 / 0.72 * sum(weights)]
    draw = Random(random.getrandbits(64))
    history: list[str] = []
    for minute in timeline.minutes(random, BUY_BOX_CHANGES, since, end):
        history += (str(minute), *draw.choices(choices, weights))
    return history


def used_buy_box_holders(random: Random, sellers: list[str], since: int, end: int) -> list[str]:
    """minute, seller, condition, isFBA, ...: three empty texts if no seller holds it."""
    draw = Random(random.getrandbits(64))
    history: list[str] = []
    for minute in timeline.minutes(random, BUY_BOX_CHANGES, since, end):
        held = draw.random() < 0.8
        holder = (draw.choice(sellers), str(draw.choice(USED_CONDITIONS)), draw.choice("01"))
        history += (str(minute), *(holder if held else ("", "", "")))
    return history
