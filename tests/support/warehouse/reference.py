"""What the tables must hold, worked out from the payloads in plain Python.

Written from the rules, not from the SQL: a fold over fetches instead of windows, and a walk along
each day instead of pieces. Amounts are exact; dates and instants are UTC. Only for payloads whose
histories are in order, or cut; what else can be broken is told case by case in
`test_hostile_payloads.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any, Final

from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS, EPOCH, MARKETPLACES, ChannelKind

MINUTES_PER_DAY: Final = 1440
PLAIN_HISTORIES: Final = {
    "monthlySoldHistory": 2,
    "couponHistory": 3,
    "buyBoxSellerIdHistory": 2,
    "buyBoxUsedHistory": 4,
}
_FIRST_DAY: Final = EPOCH.date()


@dataclass(frozen=True)
class Fetch:
    """A product as it was read at an instant (UTC, no zone), for an as-of day."""

    product: Mapping[str, Any]
    fetched_at: datetime
    as_of_date: date


@dataclass(frozen=True)
class Point:
    """One point of a series, as Keepa's integers, and the fetch it is taken from.

    `second` is shipping, the subscribe-and-save coupon, or 1 for fulfilled by Amazon; `text` is the
    seller who holds a buy box, whose `value` is then 0, or the condition.
    """

    value: int
    second: int | None
    fetched_at: datetime
    text: str | None = None


Series = dict[int, Point]


@dataclass(frozen=True)
class Day:
    """One day of a step function: None is no value, or none known."""

    day: date
    open: int | None
    close: int | None
    low: int | None
    high: int | None
    total: int  # Sum of the values over the minutes that have one.
    minutes: int
    changes: int
    close_point: int  # The value in force at midnight, with Keepa's own negative markers.

    def mean(self, exponent: int) -> Decimal | None:
        """Weighted by minutes, in units of 10 ** exponent, to four decimals, half up."""
        if not self.minutes:
            return None
        exact = Fraction(self.total, self.minutes * 10**exponent) * 10_000
        return Decimal(int(exact + Fraction(1, 2))).scaleb(-4, Context(prec=40))


def histories(product: Mapping[str, Any]) -> Iterator[tuple[str, int, Sequence[Any]]]:
    """Name, stride and elements of each series that a model reads. Empty ones are left out."""
    csv = product.get("csv") or []
    for channel in CHANNELS:
        if channel.kind is not ChannelKind.EVENT and channel.index < len(csv):
            yield from _unless_empty(channel.name, channel.stride, csv[channel.index])
    for category_id, numbers in (product.get("salesRanks") or {}).items():
        yield from _unless_empty(category_id, 2, numbers)
    for field, stride in PLAIN_HISTORIES.items():
        yield from _unless_empty(field, stride, product.get(field))
    for offer in product.get("offers") or []:
        yield from _unless_empty(f"offerCSV:{offer['offerId']}", 3, offer.get("offerCSV"))
        yield from _unless_empty(f"stockCSV:{offer['offerId']}", 2, offer.get("stockCSV"))


def _unless_empty(
    name: str, stride: int, numbers: Sequence[Any] | None
) -> Iterator[tuple[str, int, Sequence[Any]]]:
    if numbers:
        yield name, stride, numbers


def point(name: str, elements: Sequence[Any], fetched_at: datetime) -> Point:
    if name not in ("buyBoxSellerIdHistory", "buyBoxUsedHistory"):
        return Point(elements[1], elements[2] if len(elements) == 3 else None, fetched_at)
    seller = elements[1]
    if seller in ("", "-1", "-2"):
        return Point(int(seller or -1), None, fetched_at)
    if len(elements) == 2:
        return Point(0, None, fetched_at, seller)
    return Point(int(elements[2]), int(elements[3]), fetched_at, seller)


def points_in(product: Mapping[str, Any]) -> int:
    """How many points a payload brings."""
    return sum(-(-len(numbers) // stride) for _, stride, numbers in histories(product))


def brought(fetch: Fetch) -> Iterator[tuple[str, Series]]:
    """The series that a fetch has. The rest of a point that was cut is none."""
    for name, stride, numbers in histories(fetch.product):
        points = {
            int(numbers[place]): point(name, numbers[place : place + stride], fetch.fetched_at)
            for place in range(0, len(numbers) - stride + 1, stride)
        }
        if points:
            yield name, points


def merged(fetches: Sequence[Fetch]) -> dict[str, Series]:
    """The series of one product, from its fetches in the order in which they were made."""
    result: dict[str, Series] = {}
    for fetch in fetches:
        for name, points in brought(fetch):
            first = min(points)
            result[name] = {m: p for m, p in result.get(name, {}).items() if m < first} | points
    return result


def last_days(fetches: Sequence[Fetch]) -> dict[str, date]:
    """The day with which each series of a product ends: the newest for which a fetch has it."""
    result: dict[str, date] = {}
    for fetch in fetches:
        for name, _ in brought(fetch):
            result[name] = max(fetch.as_of_date, result.get(name, fetch.as_of_date))
    return result


def landed(point: Point) -> int:
    """Price and shipping; negative where there is no price."""
    return point.value if point.value < 0 else point.value + max(point.second or 0, 0)


def days(values: Mapping[int, int], last: date) -> Iterator[Day]:
    """Every day from that of the first minute to `last`, of values by the minute they begin at."""
    minutes = sorted(values)
    if not minutes:
        return
    place = 0
    carried: int | None = None
    first = _FIRST_DAY + timedelta(days=minutes[0] // MINUTES_PER_DAY)
    for number in range((last - first).days + 1):
        today = first + timedelta(days=number)
        start = (today - _FIRST_DAY).days * MINUTES_PER_DAY
        end = start + MINUTES_PER_DAY
        # From which minute of the day on which value holds.
        steps = [] if carried is None else [(start, carried)]
        changes = 0
        while place < len(minutes) and minutes[place] < end:
            carried = values[minutes[place]]
            steps.append((minutes[place], carried))
            changes += 1
            place += 1
        assert carried is not None
        if len(steps) > 1 and steps[0][0] == steps[1][0]:
            steps = steps[1:]  # A point at midnight leaves no time to the value before.
        ends = [minute for minute, _ in steps[1:]] + [end]
        held = [(value, until - since) for (since, value), until in zip(steps, ends, strict=True)]
        known = [(value, length) for value, length in held if value >= 0]
        yield Day(
            day=today,
            open=_or_none(steps[0][1]),
            close=_or_none(carried),
            low=min((value for value, _ in known), default=None),
            high=max((value for value, _ in known), default=None),
            total=sum(value * length for value, length in known),
            minutes=sum(length for _, length in known),
            changes=changes,
            close_point=carried,
        )


def shares(
    holders: Mapping[int, str | None], last: date
) -> Iterator[tuple[date, dict[str, int], str | None]]:
    """Minutes of each day by who held the buy box, and who did at its end."""
    minutes = sorted(holders)
    if not minutes:
        return
    first = minutes[0] // MINUTES_PER_DAY
    horizon = ((last - _FIRST_DAY).days + 1) * MINUTES_PER_DAY
    by_day: dict[int, dict[str, int]] = {}
    last_of: dict[int, str | None] = {}
    for since, until in zip(minutes, [*minutes[1:], horizon], strict=True):
        minute = since
        while minute < min(until, horizon):
            day = minute // MINUTES_PER_DAY
            end = min(until, horizon, (day + 1) * MINUTES_PER_DAY)
            holder = holders[since]
            if holder is not None:
                held = by_day.setdefault(day, {})
                held[holder] = held.get(holder, 0) + end - minute
            if end == (day + 1) * MINUTES_PER_DAY:
                last_of[day] = holder
            minute = end
    for day in range(first, horizon // MINUTES_PER_DAY):
        yield _FIRST_DAY + timedelta(days=day), by_day.get(day, {}), last_of.get(day)


def offer_days(
    prices: Mapping[int, int], last: date, last_seen: int
) -> Iterator[tuple[date, int | None, int | None, int | None, int]]:
    """Of one offer, each day's close, lowest, highest and minutes, through its last sighting."""
    minutes = sorted(prices)
    ends_of_days = ((last - _FIRST_DAY).days + 1) * MINUTES_PER_DAY
    until = min(ends_of_days, max(last_seen, minutes[-1]) + 1)
    day = minutes[0] // MINUTES_PER_DAY
    while day * MINUTES_PER_DAY < until:
        start, end = day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY
        held = {}
        for since, next_change in zip(minutes, [*minutes[1:], until], strict=True):
            length = min(next_change, until, end) - max(since, start)
            if length > 0:
                held[since] = length
        known = [prices[since] for since in held if prices[since] >= 0]
        closing = prices[max(held)] if held and until >= end else -1
        yield (
            _FIRST_DAY + timedelta(days=day),
            _or_none(closing),
            min(known, default=None),
            max(known, default=None),
            sum(length for since, length in held.items() if prices[since] >= 0),
        )
        day += 1


def state(value: int) -> str:
    return "ok" if value >= 0 else "none" if value == -1 else "unknown"


def amount(value: int | None, domain_id: int) -> Decimal | None:
    """An integer of Keepa's in units of the marketplace's currency; None for a marker."""
    if value is None or value < 0:
        return None
    return Decimal(value).scaleb(-MARKETPLACES[domain_id].exponent)


def stars(value: int | None) -> Decimal | None:
    return None if value is None else (Decimal(value) / 10).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _or_none(value: int) -> int | None:
    return value if value >= 0 else None
