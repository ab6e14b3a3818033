"""A `/product` request: validates its parameters, prices it, and selects the fields it asks for.

Pure functions, without HTTP.

Source: section "Request" of Keepa's documentation ("Request Products") and the official Java
client (`Request.java`), as of February 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from veracitypro_pipeline.local.sources.keepa.product_statistics import statistics
from veracitypro_pipeline.local.sources.keepa.products import Product
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS, MARKETPLACES, minute_of

MAX_ASINS: Final = 100
MAX_ASINS_WITH_OFFERS: Final = 20
OFFERS_RANGE: Final = range(20, 101)
OFFERS_PER_PAGE: Final = 10
MINUTES_PER_DAY: Final = 24 * 60

TOKENS_PER_PRODUCT: Final = 1
TOKENS_PER_OFFERS_PAGE: Final = 6
TOKENS_FOR_BUY_BOX: Final = 2
TOKENS_FOR_RATING: Final = 1
TOKENS_FOR_STOCK: Final = 2
TOKENS_FOR_VARIATIONS: Final = 1
NEVER_REFRESH: Final = -1

# The fields that history=0 removes, with the number of integers or texts per entry.
HISTORY_STRIDES: Final = {
    "monthlySoldHistory": 2,
    "parentAsinHistory": 2,
    "couponHistory": 3,
    "buyBoxSellerIdHistory": 2,
    "buyBoxUsedHistory": 4,
    "salesRankReferenceHistory": 2,
}
FLAGS: Final = (
    "only-live-offers",
    "rating",
    "buybox",
    "stock",
    "rental",
    "videos",
    "aplus",
    "historical-variations",
)


class BadParameterError(ValueError):
    """A parameter that Keepa rejects; the message names it, its value and the allowed ones."""


@dataclass(frozen=True)
class ProductRequest:
    """The validated parameters of one request."""

    domain_id: int
    asins: tuple[str, ...]
    history: bool
    days: int | None
    stats_interval: tuple[int, int] | None  # Keepa minutes, both ends included.
    offers: int | None
    update_hours: int
    flags: frozenset[str]

    @classmethod
    def parse(cls, parameters: Mapping[str, str], now: datetime) -> "ProductRequest":
        """Raises BadParameterError."""
        domain_id = _integer(parameters, "domain")
        if domain_id is None or domain_id not in MARKETPLACES:
            raise BadParameterError(
                f"domain is {parameters.get('domain')!r}, expected one of"
                f" {', '.join(map(str, MARKETPLACES))}."
            )
        offers = _integer(parameters, "offers")
        if offers is not None and offers not in OFFERS_RANGE:
            raise BadParameterError(f"offers is {offers}, expected 20 to 100.")
        days = _integer(parameters, "days")
        if days is not None and days < 1:
            raise BadParameterError(f"days is {days}, expected 1 or more.")
        update_hours = _integer(parameters, "update")
        return cls(
            domain_id=domain_id,
            asins=_asins(parameters, MAX_ASINS if offers is None else MAX_ASINS_WITH_OFFERS),
            history=_flag(parameters, "history", default=True),
            days=days,
            stats_interval=_stats_interval(parameters.get("stats"), minute_of(now)),
            offers=offers,
            update_hours=1 if update_hours is None else update_hours,
            flags=frozenset(name for name in FLAGS if _flag(parameters, name, default=False)),
        )

    def cost(self, product: Product | None) -> int:
        """Tokens for one product in the response; None is an unknown ASIN."""
        if product is None:
            return 0 if self.update_hours == NEVER_REFRESH else TOKENS_PER_PRODUCT
        tokens = TOKENS_PER_PRODUCT
        if self.offers is not None:
            found = min(self.offers, len(product.get("offers") or []))
            tokens = TOKENS_PER_OFFERS_PAGE * max(1, -(-found // OFFERS_PER_PAGE))
            if "stock" in self.flags:
                tokens += TOKENS_FOR_STOCK
        else:
            if "buybox" in self.flags:
                tokens += TOKENS_FOR_BUY_BOX
            if "rating" in self.flags:
                tokens += TOKENS_FOR_RATING
        if "historical-variations" in self.flags and product.get("parentAsin"):
            tokens += TOKENS_FOR_VARIATIONS
        if self.update_hours == 0:
            tokens += 1
        return tokens

    def select(self, product: Product, at: datetime) -> Product:
        """The product with the fields that the request asks for, as of the UTC instant `at`."""
        selected = dict(product)
        sent_with = set(self.flags) | ({"offers"} if self.offers is not None else set())
        selected["csv"] = [
            series if _is_sent(index, sent_with) else None
            for index, series in enumerate(product["csv"])
        ]
        self._select_offers(selected)
        if not sent_with & {"offers", "buybox"}:
            selected["buyBoxSellerIdHistory"] = None
            for field in ("buyBoxUsedHistory", "buyBoxEligibleOfferCounts"):
                selected.pop(field, None)
        for flag, field in (
            ("rating", "reviews"),
            ("videos", "videos"),
            ("aplus", "aPlus"),
            ("historical-variations", "historicalVariations"),
        ):
            if flag not in self.flags:
                selected.pop(field, None)
        if "videos" in self.flags:
            selected.setdefault("videos", None)
        selected["stats"] = (
            None
            if self.stats_interval is None
            else statistics(selected, self.stats_interval, product["lastUpdate"])
        )
        if self.days is not None:
            _limit_histories(selected, minute_of(at) - self.days * MINUTES_PER_DAY)
        if not self.history:
            selected["csv"] = selected["salesRanks"] = None
            for field in HISTORY_STRIDES:
                selected.pop(field, None)
        return selected

    def _select_offers(self, selected: Product) -> None:
        selected["offersSuccessful"] = self.offers is not None
        if self.offers is None:
            selected["offers"] = selected["liveOffersOrder"] = None
            return
        live = selected["liveOffersOrder"][: self.offers]
        offers = selected["offers"]
        if "only-live-offers" in self.flags:
            offers = [offers[position] for position in live]
            live = list(range(len(live)))
        if "stock" not in self.flags:
            offers = [
                {
                    field: value
                    for field, value in offer.items()
                    if field not in ("stockCSV", "lastStockUpdate")
                }
                for offer in offers
            ]
        selected["offers"], selected["liveOffersOrder"] = offers, live


def _asins(parameters: Mapping[str, str], most: int) -> tuple[str, ...]:
    asins = tuple(dict.fromkeys(filter(None, parameters.get("asin", "").split(","))))
    if not 1 <= len(asins) <= most:
        raise BadParameterError(f"asin holds {len(asins)} ASINs, expected 1 to {most}.")
    return asins


def _integer(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise BadParameterError(f"{name} is {text!r}, expected an integer.") from None


def _flag(parameters: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = parameters.get(name)
    if text is None:
        return default
    if text not in ("0", "1"):
        raise BadParameterError(f"{name} is {text!r}, expected 0 or 1.")
    return text == "1"


def _stats_interval(text: str | None, now: int) -> tuple[int, int] | None:
    """`N` days until now, or `from,to` as ISO dates or unix milliseconds."""
    if text is None:
        return None
    try:
        if "," not in text:
            return now - int(text) * MINUTES_PER_DAY, now
        start, end = (
            minute_of(
                datetime.fromtimestamp(int(part) / 1000, UTC)
                if part.isdigit()
                else datetime.fromisoformat(part).replace(tzinfo=UTC)
            )
            for part in text.split(",")
        )
    except ValueError:
        raise BadParameterError(
            f"stats is {text!r}, expected a number of days or from,to as dates."
        ) from None
    return start, end


def _is_sent(index: int, sent_with: set[str]) -> bool:
    channel = CHANNELS[index]
    if channel.name == "RENT" and "rental" not in sent_with:
        return False
    return not channel.sent_with or bool(channel.sent_with & sent_with)


def _limit_histories(selected: Product, start: int) -> None:
    """Keep the points from minute `start` on, and the one in force at that minute."""
    selected["csv"] = [
        series and _since(series, channel.stride, start)
        for channel, series in zip(CHANNELS, selected["csv"], strict=True)
    ]
    selected["salesRanks"] = {
        category: _since(ranks, 2, start) for category, ranks in selected["salesRanks"].items()
    }
    for field, stride in HISTORY_STRIDES.items():
        if selected.get(field):
            selected[field] = _since(selected[field], stride, start)
    if selected["offers"]:
        live = [selected["offers"][place]["offerId"] for place in selected["liveOffersOrder"]]
        selected["offers"] = [
            {**offer, "offerCSV": _since(offer["offerCSV"], 3, start)}
            for offer in selected["offers"]
            if offer["lastSeen"] >= start
        ]
        places = {offer["offerId"]: place for place, offer in enumerate(selected["offers"])}
        selected["liveOffersOrder"] = [places[offer_id] for offer_id in live if offer_id in places]


def _since(series: list[Any], stride: int, start: int) -> list[Any]:
    in_force = 0
    for place in range(0, len(series), stride):
        if int(series[place]) > start:
            break
        in_force = place
    return series[in_force:]
