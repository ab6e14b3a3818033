"""The `stats` object of a product, computed from its histories as Keepa describes it.

Approximate where Keepa's own rule is not public: it drops outliers from averages and extremes, this
does not. Pure. Source: `Stats.java` of the official Java client, February 2026.
"""

from bisect import bisect_right
from itertools import pairwise
from typing import Any, Final

from veracitypro_pipeline.local.sources.keepa.products import Product
from veracitypro_pipeline.sources.keepa.vocabulary import (
    CHANNEL_BY_NAME,
    CHANNELS,
    NO_VALUE,
    UNKNOWN,
    ChannelKind,
)

MINUTES_PER_DAY: Final = 24 * 60
AVERAGE_DAYS: Final = (30, 90, 180, 365)

Points = list[tuple[int, int]]


def statistics(product: Product, interval: tuple[int, int], now: int) -> dict[str, Any]:
    """The statistics of all csv series that the product carries, as of the Keepa minute `now`.

    Prices are landed prices (with shipping), in the smallest unit; -1 means none.
    """
    points = [
        _landed(series, channel.stride)
        for channel, series in zip(CHANNELS, product["csv"], strict=True)
    ]
    start, end = interval[0], min(interval[1], now)
    current = [series[-1][1] if series else NO_VALUE for series in points]
    lowest = [_extreme(series, 0, now, lowest=True) for series in points]
    lowest_90 = [
        _extreme(series, now - 90 * MINUTES_PER_DAY, now, lowest=True) for series in points
    ]
    stats: dict[str, Any] = {
        "current": current,
        "avg": [_average(series, start, end) for series in points],
        "atIntervalStart": [_value_at(series, start) for series in points],
        "min": lowest,
        "max": [_extreme(series, 0, now, lowest=False) for series in points],
        "minInInterval": [_extreme(series, start, end, lowest=True) for series in points],
        "maxInInterval": [_extreme(series, start, end, lowest=False) for series in points],
        "isLowest": _equals(current, lowest),
        "isLowest90": _equals(current, lowest_90),
        "outOfStockPercentageInInterval": _out_of_stock(points, start, end),
    }
    sales_ranks = points[CHANNEL_BY_NAME["SALES"].index]
    for days in AVERAGE_DAYS:
        since = now - days * MINUTES_PER_DAY
        stats[f"avg{days}"] = [_average(series, since, now) for series in points]
        stats[f"outOfStockPercentage{days}"] = _out_of_stock(points, since, now)
        stats[f"salesRankDrops{days}"] = _drops(sales_ranks, since)
    return stats | _offer_statistics(product, now)


def _landed(series: list[int] | None, stride: int) -> Points:
    if not series:
        return []
    if stride == 2:
        return list(zip(series[::2], series[1::2], strict=True))
    return [
        (minute, price if price < 0 else price + max(shipping, 0))
        for minute, price, shipping in zip(series[::3], series[1::3], series[2::3], strict=True)
    ]


def _offer_statistics(product: Product, now: int) -> dict[str, Any]:
    offers = product["offers"]
    live = [offers[place] for place in product["liveOffersOrder"]] if offers else []
    buy_box = product["csv"][CHANNEL_BY_NAME["BUY_BOX_SHIPPING"].index]
    holders = product["buyBoxSellerIdHistory"]
    return {
        "buyBoxPrice": buy_box[-2] if buy_box else UNKNOWN,
        "buyBoxShipping": buy_box[-1] if buy_box else UNKNOWN,
        "buyBoxSellerId": holders[-1] if holders else None,
        "lastBuyBoxUpdate": now if buy_box else None,
        "lastOffersUpdate": now if offers else NO_VALUE,
        "offerCountFBA": sum(offer["isFBA"] for offer in live) if offers else UNKNOWN,
        "offerCountFBM": sum(not offer["isFBA"] for offer in live) if offers else UNKNOWN,
        "retrievedOfferCount": len(live) if offers else UNKNOWN,
        "totalOfferCount": len(live) if offers else 0,
        "tradeInPrice": UNKNOWN,
    }


def _value_at(points: Points, minute: int) -> int:
    place = bisect_right(points, (minute, float("inf")))
    return points[place - 1][1] if place else NO_VALUE


def _within(points: Points, start: int, end: int) -> list[tuple[int, int, int]]:
    """(from, until, value) of the steps in force between two minutes."""
    first = max(0, bisect_right(points, (start, float("inf"))) - 1)
    steps = []
    for place in range(first, len(points)):
        minute, value = points[place]
        if minute > end:
            break
        until = points[place + 1][0] if place + 1 < len(points) else end
        steps.append((max(minute, start), min(until, end), value))
    return steps


def _average(points: Points, start: int, end: int) -> int:
    """Weighted by time, over the minutes with a value."""
    valued = [(until - since, value) for since, until, value in _within(points, start, end)]
    valued = [(minutes, value) for minutes, value in valued if value >= 0 and minutes > 0]
    total = sum(minutes for minutes, _ in valued)
    return round(sum(minutes * value for minutes, value in valued) / total) if total else NO_VALUE


def _extreme(points: Points, start: int, end: int, *, lowest: bool) -> list[int] | None:
    """[minute, value] of the first lowest or highest value."""
    valued = [(value, since) for since, _, value in _within(points, start, end) if value >= 0]
    if not valued:
        return None
    choose = min if lowest else max
    value, since = choose(valued, key=lambda step: step[0])
    return [since, value]


def _equals(current: list[int], extremes: list[list[int] | None]) -> list[bool]:
    return [
        extreme is not None and value == extreme[1]
        for value, extreme in zip(current, extremes, strict=True)
    ]


def _out_of_stock(points: list[Points], start: int, end: int) -> list[int]:
    """Share of time without a price, in percent; -1 where that has no meaning."""
    shares = []
    for channel, series in zip(CHANNELS, points, strict=True):
        steps = _within(series, start, end) if channel.kind is ChannelKind.PRICE else []
        total = sum(until - since for since, until, _ in steps)
        without = sum(until - since for since, until, value in steps if value < 0)
        shares.append(round(100 * without / total) if total else NO_VALUE)
    return shares


def _drops(ranks: Points, since: int) -> int:
    """How often the rank fell (a sale, most likely)."""
    recent = [rank for minute, rank in ranks if minute >= since and rank > 0]
    return sum(later < earlier for earlier, later in pairwise(recent))
