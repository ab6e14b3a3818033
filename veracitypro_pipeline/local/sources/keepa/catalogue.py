"""The generated catalogue: pickleball paddles with payloads like real ones.

A product is a function of (seed, marketplace, ASIN, instant). Its series are fixed, and a later
instant shows more of them. So from one day to the next some points are appended, most series do not
change, and now and then the newest point is withdrawn, as Keepa does.

This module decides which series and fields a product has. `series_shapes.py` has how busy a series
is, `timeline.py` its times and values, `offers.py` offers and sellers, `paddles.py` names. The
result is the complete product object; `product_request.py` removes what a request leaves out.

Not generated: products other than type 0 (standard), Amazon as a seller, `deals`, `promotions`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final

from veracitypro_pipeline.local.sources.keepa import paddles, timeline
from veracitypro_pipeline.local.sources.keepa.offers import (
    buy_box_holders,
    offers,
    used_buy_box_holders,
)
from veracitypro_pipeline.local.sources.keepa.products import Product
from veracitypro_pipeline.local.sources.keepa.series_shapes import (
    CATEGORY_RANKS,
    COUPONS,
    MAX_BUSYNESS,
    MONTHLY_SOLD,
    ON_AND_OFF,
    POPULARITY_SPREAD,
    SERIES_SPREAD,
    SHAPES,
    SeriesShape,
)
from veracitypro_pipeline.local.sources.keepa.timeline import (
    MINUTES_PER_DAY,
    MINUTES_PER_YEAR,
    Rhythm,
)
from veracitypro_pipeline.sources.keepa.vocabulary import (
    CHANNEL_BY_NAME,
    CHANNELS,
    MARKETPLACES,
    NO_VALUE,
    ChannelKind,
    minute_of,
)

DEFAULT_SEED: Final = 20_251_115
OWN: Final = "own"
COMPETITOR: Final = "competitor"

# Rough exchange rates: units of each currency for a US dollar. They only set price levels.
UNITS_PER_USD: Final = {
    "USD": 1.0,
    "GBP": 0.8,
    "EUR": 0.92,
    "JPY": 150.0,
    "CAD": 1.37,
    "INR": 84.0,
    "MXN": 18.5,
    "BRL": 5.4,
}
SHIPPING_USD: Final = (3.99, 4.99, 5.99, 8.5)

# Keepa refreshes a product about once an hour.
REFRESH_MINUTES: Final = 60
# Tracking began in these Keepa minutes: 2018-01-01 to 2024-06-01.
TRACKED_FROM: Final = (3_682_080, 7_056_000)
COUPONS_SINCE: Final = minute_of(datetime.fromisoformat("2024-06-15T00:00Z"))
RATING_COUNTS_UNTIL: Final = minute_of(datetime.fromisoformat("2025-04-09T00:00Z"))

MONTHLY_SOLD_STEPS: Final = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 2000, 3000)


@dataclass(frozen=True)
class TrackedProduct:
    """A row of the seed `tracked_products`. `role` is own or competitor."""

    domain_id: int
    asin: str
    role: str
    product_line: str


class CatalogueSource:
    """The tracked products, plus `extra_asins` invented competitors on amazon.com."""

    is_recorded: Final = False

    def __init__(
        self,
        tracked: Sequence[TrackedProduct],
        seed: int = DEFAULT_SEED,
        extra_asins: int = 0,
    ) -> None:
        self._seed = seed
        random = Random(f"{seed}:extra")
        extra = [
            TrackedProduct(1, paddles.invented_asin(random), COMPETITOR, "")
            for _ in range(extra_asins)
        ]
        self._tracked = {(row.domain_id, row.asin): row for row in (*extra, *tracked)}

    def tracked(self) -> dict[int, list[str]]:
        by_domain = defaultdict[int, list[str]](list)
        for domain_id, asin in sorted(self._tracked):
            by_domain[domain_id].append(asin)
        return dict(by_domain)

    def product(self, domain_id: int, asin: str, at: datetime) -> Product | None:
        row = self._tracked.get((domain_id, asin))
        if row is None:
            return None
        return _Listing(self._seed, row).product(minute_of(at))


class _Listing:
    """One product on one marketplace; each part of it has its own random source."""

    def __init__(self, seed: int, row: TrackedProduct) -> None:
        self._seed, self._row = seed, row
        self._marketplace = MARKETPLACES[row.domain_id]
        self.paddle = paddles.paddle(
            Random(f"{seed}:{row.asin}:paddle"),
            row.asin,
            is_own=row.role == OWN,
            product_line=row.product_line,
        )
        random = self.random("listing")
        self.tracking_since = random.randrange(*TRACKED_FROM, timeline.TICK)
        self.popularity = math.exp(random.gauss(0, POPULARITY_SPREAD))
        self.usual_rank = 20_000 / self.popularity * math.exp(random.gauss(0, 0.5))
        self.usual_offers = random.uniform(3, 14)
        self.refresh_phase = random.randrange(0, REFRESH_MINUTES, timeline.TICK)
        self.minor_per_usd = (
            UNITS_PER_USD[self._marketplace.currency] * 10**self._marketplace.exponent
        )
        self.usual_price = self.paddle.price_usd * self.minor_per_usd

    def random(self, part: str) -> Random:
        return Random(f"{self._seed}:{self._row.domain_id}:{self._row.asin}:{part}")

    def product(self, now: int) -> Product | None:
        """The complete product object at a Keepa minute; None before it was tracked."""
        end = now - (now - self.refresh_phase) % REFRESH_MINUTES
        if end < self.tracking_since:
            return None
        level = timeline.price_level(self.random("level"), self.tracking_since, end)
        csv = [self._series(channel.name, level, end) for channel in CHANNELS]
        amazon, new, sales = (
            csv[CHANNEL_BY_NAME[name].index] for name in ("AMAZON", "NEW", "SALES")
        )
        live, all_offers = offers(
            self.random("offers"), self._sellers(), self.usual_price, self.tracking_since, end
        )
        assert new
        assert sales
        return {
            **paddles.attributes(self.random("attributes"), self.paddle),
            "domainId": self._row.domain_id,
            "title": self._title(end),
            "csv": csv,
            "trackingSince": self.tracking_since,
            "listedSince": self.tracking_since - 30 * MINUTES_PER_DAY,
            "releaseDate": NO_VALUE,
            "lastUpdate": end,
            "lastPriceChange": new[-2],
            "lastEbayUpdate": 0,
            "availabilityAmazon": 0 if amazon and amazon[-1] > 0 else NO_VALUE,
            "urlSlug": self.paddle.title.replace(",", "").replace(" ", "-"),
            "fbaFees": {
                "pickAndPackFee": round(4.75 * self.minor_per_usd),
                "lastUpdate": self.tracking_since,
            },
            "competitivePriceThreshold": round(0.97 * self.usual_price),
            "offers": all_offers,
            "liveOffersOrder": live,
            "offersSuccessful": True,
            "buyBoxEligibleOfferCounts": [len(live), 1, 0, 0, 0, 0, 0, 0],
            "buyBoxSellerIdHistory": buy_box_holders(
                self.random("buy box"), self._sellers(), self.tracking_since, end
            ),
            "buyBoxUsedHistory": used_buy_box_holders(
                self.random("used buy box"), self._sellers(), self.tracking_since, end
            ),
            **self._rank_fields(sales, end),
            **self._rating_fields(csv, end),
            **self._sold_fields(end),
            **self._coupon_fields(end),
        }

    def _title(self, end: int) -> str:
        """The seller rewrites the title in the first weeks of each year."""
        year = 2011 + (end - self.refresh_phase * MINUTES_PER_DAY) // MINUTES_PER_YEAR
        return f"{self.paddle.title} ({year} Edition)"

    def _sellers(self) -> list[str]:
        """The sellers of this product, a few of those of its marketplace."""
        everyone = paddles.sellers(Random(f"{self._seed}:{self._row.domain_id}:sellers"), 60)
        return self.random("sellers").sample(everyone, 7)

    def _times(self, name: str, shape: SeriesShape, since: int, end: int) -> list[int]:
        random = self.random(f"{name}:times")
        busyness = self.popularity * math.exp(random.gauss(0, SERIES_SPREAD))
        rhythm = Rhythm(shape.points * min(MAX_BUSYNESS, busyness), shape.gap_hours, shape.burst)
        # A series that every product has begins with tracking; others begin later.
        delay = 0.0 if shape.share == 1.0 else random.expovariate(1 / (45 * MINUTES_PER_DAY))
        first = since + int(delay) // timeline.TICK * timeline.TICK
        return timeline.minutes(random, rhythm, first, end)

    def _series(self, name: str, level: Callable[[int], float], end: int) -> list[int] | None:
        """One csv series in Keepa's flat layout; None if the product has no such series."""
        shape = SHAPES.get(name)
        channel = CHANNEL_BY_NAME[name]
        if shape is None or self.random(f"{name}:exists").random() >= shape.share:
            return None
        times = self._times(name, shape, self.tracking_since, end)
        if not times:
            return None
        random = self.random(f"{name}:values")
        if channel.kind is ChannelKind.PRICE:
            values = timeline.prices(
                random, times, self.usual_price * shape.ratio, level, shape.none_share
            )
            if name in ON_AND_OFF:
                values = timeline.on_and_off(values)
        elif channel.kind is ChannelKind.RANK:
            values = timeline.ranks(random, times, self.usual_rank)
        elif channel.kind is ChannelKind.RATING:
            values = timeline.ratings(random, times, 36 + self.refresh_phase % 12)
        elif channel.kind is ChannelKind.EVENT:
            values = timeline.offers_fetched(random, times, self.usual_offers)
        elif name == "COUNT_REVIEWS":
            values = timeline.growing(random, times, 4 * self.popularity)
        else:
            usual = self.usual_offers * shape.ratio
            values = timeline.counts(random, times, usual, shape.none_share)
        columns = [values]
        if channel.stride == 3:
            fees = [round(fee * self.minor_per_usd) for fee in SHIPPING_USD]
            columns.append(timeline.shippings(self.random(f"{name}:shipping"), values, fees))
        timeline.withdraw(self.random(f"{name}:withdrawn"), end, times, *columns)
        return timeline.flat(times, *columns)

    def _rank_fields(self, sales: list[int], end: int) -> Product:
        """Ranks in the reference category (the root) and in one to four subcategories."""
        random = self.random("categories")
        root, *_, leaf = paddles.CATEGORY_PATH[: self.paddle.depth]
        below = [leaf, *random.sample(paddles.OTHER_LEAVES, random.choice((0, 0, 1, 2, 3)))]
        ranks = {str(root[0]): self._reference_ranks(sales)}
        for depth, (category_id, _) in enumerate(below, start=1):
            name = f"rank {category_id}"
            times = self._times(name, CATEGORY_RANKS, self.tracking_since, end)
            usual = self.usual_rank / (40 * depth)
            values = timeline.ranks(self.random(f"{name}:values"), times, usual)
            timeline.withdraw(self.random(f"{name}:withdrawn"), end, times, values)
            ranks[str(category_id)] = timeline.flat(times, values)
        changed = self.tracking_since + random.randrange(400) * MINUTES_PER_DAY
        history = [self.tracking_since, NO_VALUE, changed, root[0]]
        return {
            "salesRanks": {category: series for category, series in ranks.items() if series},
            "salesRankReference": root[0] if changed <= end else NO_VALUE,
            "salesRankReferenceHistory": history if changed <= end else history[:2],
            "salesRankDisplayGroup": "sports_display_on_website",
            "websiteDisplayGroup": "sports_display_on_website",
            "websiteDisplayGroupName": "Sports",
        }

    def _reference_ranks(self, sales: list[int]) -> list[int]:
        """The main series again, with gaps, from when ranks by category began."""
        since = self.tracking_since + 90 * MINUTES_PER_DAY
        return [
            number
            for place in range(0, len(sales), 2)
            if sales[place] >= since and sales[place] // timeline.TICK % 4
            for number in sales[place : place + 2]
        ]

    def _rating_fields(self, csv: list[list[int] | None], end: int) -> Product:
        rating = csv[CHANNEL_BY_NAME["RATING"].index]
        reviews = csv[CHANNEL_BY_NAME["COUNT_REVIEWS"].index]
        if not rating or not reviews:
            return {"lastRatingUpdate": NO_VALUE}
        older = [
            place for place in range(0, len(reviews), 2) if reviews[place] < RATING_COUNTS_UNTIL
        ]
        return {
            "lastRatingUpdate": end,
            "reviews": {
                "lastUpdate": end,
                "ratingCount": reviews[: older[-1] + 2] if older else [],
                "reviewCount": [
                    value if place % 2 == 0 else max(1, value // 3)
                    for place, value in enumerate(reviews)
                ],
            },
        }

    def _sold_fields(self, end: int) -> Product:
        """The badge "bought in past month": two products in five have it, and may lose it."""
        random = self.random("sold")
        if random.random() >= MONTHLY_SOLD.share:
            return {}
        times = self._times("sold", MONTHLY_SOLD, self.tracking_since, end)
        place = random.randrange(8)
        values = []
        for _ in times:
            place = max(0, min(len(MONTHLY_SOLD_STEPS) - 1, place + random.choice((-1, 1, 1, -2))))
            values.append(NO_VALUE if random.random() < 0.1 else MONTHLY_SOLD_STEPS[place])
        if not times:
            return {}
        fields: dict[str, Any] = {
            "monthlySoldHistory": timeline.flat(times, values),
            "lastSoldUpdate": times[-1],
        }
        return fields if values[-1] == NO_VALUE else fields | {"monthlySold": values[-1]}

    def _coupon_fields(self, end: int) -> Product:
        """Coupons switch on (money off, or a percentage as a negative number) and off again."""
        random = self.random("coupons")
        if random.random() >= COUPONS.share:
            return {"coupon": None}
        since = max(COUPONS_SINCE, self.tracking_since)
        times = self._times("coupons", COUPONS, since, end)
        offs = [round(5 * self.minor_per_usd), round(10 * self.minor_per_usd), -5, -10, -15]
        once = [0 if place % 2 else random.choice(offs) for place in range(len(times))]
        subscribed = [0] * len(times)
        if not times:
            return {"coupon": None}
        return {
            "couponHistory": timeline.flat(times, once, subscribed),
            "coupon": [once[-1], 0] if once[-1] else None,
        }
