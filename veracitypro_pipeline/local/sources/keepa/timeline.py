"""Invented series: the times at which a series changes, and its values.

A series is one fixed, endless sequence that depends only on its random source; a later `end` shows
more of it. Therefore times and values are drawn from separate sources, one draw per point, in
order. `catalogue.py` decides which series a product has.

Shape (bursts of hours, pauses of weeks to months, heavy tails): measured on real responses for 30
products, 2019 to 2026.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from veracitypro_pipeline.sources.keepa.vocabulary import NO_VALUE

MINUTES_PER_HOUR: Final = 60
MINUTES_PER_DAY: Final = 24 * MINUTES_PER_HOUR
MINUTES_PER_YEAR: Final = 365 * MINUTES_PER_DAY

# Keepa's minutes are even.
TICK: Final = 2
# Spread (sigma of the logarithm) of gaps inside a burst, and of the pauses between bursts.
GAP_SPREAD: Final = 0.9
PAUSE_SPREAD: Final = 1.2
# Chance per series and day that Keepa withdraws its newest point.
WITHDRAWN_PER_DAY: Final = 0.001


@dataclass(frozen=True)
class Rhythm:
    """How often a series changes: in bursts of about `burst` points, `gap_hours` apart."""

    points_per_year: float
    gap_hours: float
    burst: float


def minutes(random: Random, rhythm: Rhythm, start: int, end: int) -> list[int]:
    """The minutes of the points from `start` to `end`, ascending, the first one at `start`."""
    gap = rhythm.gap_hours * MINUTES_PER_HOUR / TICK
    mean_gap = gap * math.exp(GAP_SPREAD**2 / 2) * TICK
    cycle = rhythm.burst / rhythm.points_per_year * MINUTES_PER_YEAR
    # A series that is too busy for pauses still gets a short one.
    mean_pause = max(cycle - rhythm.burst * mean_gap, rhythm.burst * mean_gap / 4)
    median_pause = mean_pause / math.exp(PAUSE_SPREAD**2 / 2)
    gauss, uniform, exp = random.gauss, random.random, math.exp
    stop = 1 / rhythm.burst
    found = []
    minute = start
    while minute <= end:
        found.append(minute)
        if uniform() < stop:
            step = int(median_pause * exp(PAUSE_SPREAD * gauss(0, 1)))
        else:
            step = int(gap * exp(GAP_SPREAD * gauss(0, 1))) * TICK
        minute += max(TICK, step - step % TICK)
    return found


def withdraw(random: Random, end: int, times: list[int], *columns: list[int]) -> None:
    """Remove, in place, the points that Keepa withdrew until `end`: each time the newest one.

    A withdrawal has a fixed time: every later fetch lacks the point, every earlier one has it. The
    first point is never withdrawn.
    """
    instant = float(times[0]) if times else end
    while (instant := instant + random.expovariate(WITHDRAWN_PER_DAY) * MINUTES_PER_DAY) <= end:
        newest = bisect_right(times, instant) - 1
        if newest > 0:
            for column in (times, *columns):
                del column[newest]


def price_level(random: Random, start: int, end: int) -> Callable[[int], float]:
    """A product's slow price movement: the factor on its usual price at a minute, near 1."""
    month = 30 * MINUTES_PER_DAY
    levels, drift = [], 0.0
    for _ in range((end - start) // month + 1):
        drift = 0.85 * drift + random.gauss(0, 0.05)
        levels.append(math.exp(drift))
    return lambda minute: levels[(minute - start) // month]


def prices(
    random: Random,
    times: Sequence[int],
    usual: float,
    level: Callable[[int], float],
    none_share: float,
) -> list[int]:
    """Prices around `usual` (smallest unit); -1 in the given share of points.

    Most steps are cents, some are sales: half of them below 0.5 %, one in ten above 15 %.
    """
    found = []
    offset = 0.0
    uniform, gauss = random.random, random.gauss
    for minute in times:
        kind, step = uniform(), gauss(0, 1)
        if kind < 0.45:
            offset += 0.003 * step
        else:
            offset = 0.6 * offset + 0.06 * step
        price = max(1, round(usual * level(minute) * math.exp(max(-0.5, min(0.35, offset)))))
        if uniform() < 0.05:
            price += 9 - price % 10
        found.append(NO_VALUE if uniform() < none_share else price)
    return found


def on_and_off(values: Sequence[int]) -> list[int]:
    """Replace every second value by -1: deals and list prices come and go."""
    return [NO_VALUE if place % 2 else value for place, value in enumerate(values)]


def shippings(random: Random, values: Sequence[int], fees: Sequence[int]) -> list[int]:
    """The shipping cost with each price; -1 where there is no price or the cost is unknown."""
    found = []
    for price in values:
        draw, fee = random.random(), random.choice(fees)
        if price < 0:
            found.append(0 if draw < 0.03 else NO_VALUE)
        elif draw < 0.7:
            found.append(0)
        else:
            found.append(NO_VALUE if draw > 0.995 else fee)
    return found


def ranks(random: Random, times: Sequence[int], usual: float) -> list[int]:
    """Sales ranks: jumps up with each sale, slow decay between, around `usual`."""
    found = []
    offset = 0.0
    gauss, exp = random.gauss, math.exp
    for _ in times:
        offset = 0.93 * offset + 0.22 * gauss(0, 1)
        found.append(max(1, int(usual * exp(offset))))
    return found


def counts(random: Random, times: Sequence[int], usual: float, none_share: float) -> list[int]:
    """Numbers of offers: a random walk around `usual`."""
    found = []
    count = usual
    for _ in times:
        count = max(1.0, count + 0.2 * (usual - count) + random.gauss(0, 1 + usual / 8))
        found.append(NO_VALUE if random.random() < none_share else round(count))
    return found


def growing(random: Random, times: Sequence[int], per_point: float) -> list[int]:
    """A total that grows, with a small loss now and then."""
    found = []
    total = 1 + int(random.expovariate(1 / per_point))
    for _ in times:
        found.append(total)
        draw = random.random()
        total = max(1, total - 1) if draw < 0.04 else total + 1 + int(draw * draw * per_point)
    return found


def ratings(random: Random, times: Sequence[int], usual: int) -> list[int]:
    """Tenths of a star around `usual`."""
    return [max(10, min(50, usual + round(random.gauss(0, 1.2)))) for _ in times]


def offers_fetched(random: Random, times: Sequence[int], usual: float) -> list[int]:
    """The number of offers that each refresh fetched; negative if there were more."""
    found = []
    for _ in times:
        number = max(1, round(random.gauss(usual, 2)))
        found.append(-number if random.random() < 0.1 else number)
    return found


def flat(*columns: Sequence[int]) -> list[int]:
    """Columns in Keepa's flat layout: minute, value, minute, value."""
    return list(_interleaved(columns))


def _interleaved(columns: Sequence[Sequence[int]]) -> Iterator[int]:
    for point in zip(*columns, strict=True):
        yield from point
