"""What the tables must hold, worked out from the payloads in plain Python.

Written from the rules, not from the SQL: a fold over fetches instead of windows, and a walk along
each day instead of pieces. Amounts are exact; dates and instants are UTC. Only for payloads that
are in order; what happens to broken ones is told case by case in `test_hostile_payloads.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any, Final

from veracitypro_pipeline.keepa import CHANNELS, EPOCH, MARKETPLACES, ChannelKind

MINUTES_PER_DAY: Final = 1440
_FIRST_DAY: Final = EPOCH.date()


@dataclass(frozen=True)
class Fetch:
    """A product as it was read at an instant (UTC, no zone), for an as-of day."""

    product: Mapping[str, Any]
    fetched_at: datetime
    as_of_date: date


@dataclass(frozen=True)
class Point:
    """One point of a series, as Keepa's integers, and the fetch it is taken from."""

    value: int
    shipping: int | None
    fetched_at: datetime


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


def histories(product: Mapping[str, Any]) -> Iterator[tuple[str, int, Sequence[int]]]:
    """Name, stride and integers of each series that a model reads. Empty ones are left out."""
    csv = product.get("csv") or []
    for channel in CHANNELS:
        is_read = channel.kind in (ChannelKind.PRICE, ChannelKind.RANK, ChannelKind.RATING)
        if (is_read or channel.name == "COUNT_REVIEWS") and channel.index < len(csv):
            numbers = csv[channel.index]
            if numbers:
                yield channel.name, channel.stride, numbers
    for category_id, numbers in (product.get("salesRanks") or {}).items():
        if numbers:
            yield category_id, 2, numbers


def points_in(product: Mapping[str, Any]) -> int:
    """How many points a payload brings."""
    return sum(-(-len(numbers) // stride) for _, stride, numbers in histories(product))


def merged(fetches: Sequence[Fetch]) -> dict[str, Series]:
    """The series of one product, from its fetches in the order in which they were made."""
    result: dict[str, Series] = {}
    for fetch in fetches:
        for name, stride, numbers in histories(fetch.product):
            brought = {
                numbers[place]: Point(
                    numbers[place + 1],
                    numbers[place + 2] if stride == 3 else None,
                    fetch.fetched_at,
                )
                for place in range(0, len(numbers), stride)
            }
            first = min(brought)
            before = {m: p for m, p in result.get(name, {}).items() if m < first}
            result[name] = before | brought
    return result


def landed(point: Point) -> int:
    """Price and shipping; negative where there is no price."""
    return point.value if point.value < 0 else point.value + max(point.shipping or 0, 0)


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
