"""Made-up sequences of fetches, with everything that can happen between two of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from tests.support.warehouse.building import fetch_at
from tests.support.warehouse.products import a_product, an_unknown_asin
from tests.support.warehouse.reference import Fetch
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNEL_BY_NAME, minute_of

FIRST_NIGHT: Final = datetime(2026, 1, 10, 0, 10)
NIGHTS: Final = 5
# Of every kind that a model reads, with both strides.
SERIES: Final = ("AMAZON", "BUY_BOX_SHIPPING", "SALES", "RATING", "COUNT_REVIEWS", "COUNT_NEW")
FIELDS: Final = (
    "buyBoxSellerIdHistory",
    "buyBoxUsedHistory",
    "couponHistory",
    "monthlySoldHistory",
)
OFFERS: Final = ("offerCSV:1", "offerCSV:2", "stockCSV:2")

Points = dict[str, list[tuple[Any, ...]]]


def minute(at: datetime) -> int:
    return minute_of(at.replace(tzinfo=UTC))


def fetches_of(random: Random, asin: str, domain_id: int) -> list[Fetch]:
    """One product over some nights, oldest first.

    Points are added; the newest is withdrawn; one in the past is restated; a series is left out;
    only the last days are sent; the ASIN is unknown for a night; two answers come in one minute. A
    series is cut within its last point; an offer or a video has an attribute of a wrong type.
    """
    truth: Points = {}
    fetches: list[Fetch] = []
    for night in range(NIGHTS):
        at = FIRST_NIGHT + timedelta(days=night, minutes=random.randrange(30))
        _happen(random, truth, at)
        if random.random() < 0.1:
            fetches.append(fetch_at(an_unknown_asin(asin, domain_id), at))
        elif random.random() < 0.9:
            fetches.append(fetch_at(_answer(random, asin, domain_id, truth, at), at))
        if fetches and random.random() < 0.2:
            # Once more in the same minute, possibly with another answer.
            again = _answer(random, asin, domain_id, truth, at)
            fetches.append(fetch_at(again, fetches[-1].fetched_at))
    return fetches


def _happen(random: Random, truth: Points, now: datetime) -> None:
    """What Keepa has learned, or unlearned, since the night before."""
    for name in (*SERIES, *FIELDS, *OFFERS):
        points = truth.setdefault(name, [])
        since = minute(now) - (1440 if points else 20 * 1440)
        for _ in range(random.randrange(4)):
            points.append((random.randrange(since, minute(now)), *_values(random, name)))
        points[:] = sorted({point[0]: point for point in points}.values())
        if points and random.random() < 0.3:
            points.pop()
        if points and random.random() < 0.3:
            place = random.randrange(len(points))
            points[place] = (points[place][0], *_values(random, name))


def _values(random: Random, name: str) -> tuple[Any, ...]:
    """What follows the minute in a point."""
    value = random.choice((-2, -1, *range(0, 50, 7)))
    seller = random.choice(("A1", "A2"))
    match name:
        case "buyBoxSellerIdHistory":
            return (random.choice(("-1", "-2", seller)),)
        case "buyBoxUsedHistory":
            return random.choice((("", "", ""), (seller, "4", "1"), (seller, "2", "0")))
        case "couponHistory":
            return (value, random.choice((-5, 0, 100)))
        case _ if name.startswith("offerCSV"):
            return (abs(value), random.choice((-2, -1, 0, 5)))
        case _ if name in SERIES and CHANNEL_BY_NAME[name].stride == 3:
            return (value, random.choice((-1, 0, 5)))
    return (value,)


def _answer(
    random: Random, asin: str, domain_id: int, truth: Points, now: datetime
) -> dict[str, Any]:
    since = minute(now) - random.choice((2, 3, 1000)) * 1440
    sent: dict[str, list[Any]] = {}
    for name, points in truth.items():
        recent = [point for point in points if point[0] >= since]
        if recent and random.random() < 0.8:
            sent[name] = [number for point in recent for number in point]
            if random.random() < 0.1:
                sent[name].pop()
    offers = [
        {
            "offerId": offer_id,
            "sellerId": f"A{offer_id}",
            "condition": random.choice((1, 1, "new")),
            "lastSeen": minute(now) - random.randrange(3000),
            "offerCSV": sent.get(f"offerCSV:{offer_id}"),
            "stockCSV": sent.get(f"stockCSV:{offer_id}"),
        }
        for offer_id in (1, 2)
        if f"offerCSV:{offer_id}" in sent or f"stockCSV:{offer_id}" in sent
    ]
    ranks = {"77": sent["SALES"]} if "SALES" in sent and random.random() < 0.5 else None
    return a_product(
        asin,
        domain_id,
        {name: sent[name] for name in SERIES if name in sent},
        title=f"Seen {now:%d %H:%M}",
        salesRanks=ranks,
        offers=offers or None,
        liveOffersOrder=random.choice(([], [0], [0, 1])),
        categoryTree=random.choice(([], [{"catId": 1, "name": "Sports"}, {"catId": 2}], None)),
        variations=random.choice((None, [{"asin": "B0PADDLE02"}])),
        videos=random.choice((None, [], [{"url": "a"}, {"title": "b"}], [{"url": 7}])),
        aPlus=random.choice((None, [{"module": [{"image": ["a", "b"], "imageAltText": ["A"]}]}])),
        **{field: sent[field] for field in FIELDS if field in sent},
    )


def batches(random: Random, items: Sequence[Any], count: int) -> list[list[Any]]:
    """The items in some order, in that many loads."""
    shuffled = random.sample(items, len(items))
    cuts = sorted(random.randrange(len(items) + 1) for _ in range(count - 1))
    return [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]


NIGHT = timedelta(days=1)
# 2026-01-01T00:00Z on Keepa's clock.
START = 7_889_760
