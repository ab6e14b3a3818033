"""Keepa's vocabulary: its clock, its markers for "no value", its channels, its marketplaces.

Pure facts of the `/product` response, used by everything that makes, reads or checks payloads.
Not here: requests, files, Dagster, and any rule about what a point means for the business.

Source: keepacom/api_backend (`KeepaTime.java`, `Product.java`, `AmazonLocale.java`), February 2026.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

# Minute 0 of Keepa's clock; unix milliseconds = (minute + 21_564_000) * 60_000.
EPOCH: Final = datetime(2011, 1, 1, tzinfo=UTC)
EPOCH_UNIX_MINUTES: Final = 21_564_000

# Any negative value in a history is "no value"; Keepa says which kind by these two.
NO_VALUE: Final = -1  # No offer, no rank, nothing from this minute on.
UNKNOWN: Final = -2  # Keepa cannot tell (or, in a statistic, was not asked).

# `productType` of an ASIN which Keepa does not know (or no longer).
INVALID_PRODUCT_TYPE: Final = 4


class ChannelKind(StrEnum):
    """What the values of a channel count."""

    PRICE = "price"  # Smallest unit of the marketplace's currency.
    RANK = "rank"
    COUNT = "count"
    RATING = "rating"  # Tenths of a star.
    EVENT = "event"  # Something happened in that minute; the value does not hold until the next.


@dataclass(frozen=True)
class Channel:
    """One slot of the `csv` array.

    `stride` is the number of integers per point: minute and value, or minute, price and shipping.
    `sent_with` names the request parameters of which one is needed to get the series; empty means
    that it always comes.
    """

    index: int
    name: str
    kind: ChannelKind
    stride: int = 2
    sent_with: frozenset[str] = frozenset()


_OFFERS: Final = frozenset({"offers"})
_BUY_BOX: Final = frozenset({"offers", "buybox"})
_RATING: Final = frozenset({"offers", "rating"})
_PRICE, _COUNT = ChannelKind.PRICE, ChannelKind.COUNT

CHANNELS: Final = (
    Channel(0, "AMAZON", _PRICE),
    Channel(1, "NEW", _PRICE),
    Channel(2, "USED", _PRICE),
    Channel(3, "SALES", ChannelKind.RANK),
    Channel(4, "LISTPRICE", _PRICE),
    Channel(5, "COLLECTIBLE", _PRICE),
    Channel(6, "REFURBISHED", _PRICE),
    Channel(7, "NEW_FBM_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(8, "LIGHTNING_DEAL", _PRICE),
    Channel(9, "WAREHOUSE", _PRICE, 2, _OFFERS),
    Channel(10, "NEW_FBA", _PRICE, 2, _OFFERS),
    Channel(11, "COUNT_NEW", _COUNT),
    Channel(12, "COUNT_USED", _COUNT),
    Channel(13, "COUNT_REFURBISHED", _COUNT),
    Channel(14, "COUNT_COLLECTIBLE", _COUNT),
    Channel(15, "EXTRA_INFO_UPDATES", ChannelKind.EVENT, 2, _OFFERS),
    Channel(16, "RATING", ChannelKind.RATING, 2, _RATING),
    Channel(17, "COUNT_REVIEWS", _COUNT, 2, _RATING),
    Channel(18, "BUY_BOX_SHIPPING", _PRICE, 3, _BUY_BOX),
    Channel(19, "USED_NEW_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(20, "USED_VERY_GOOD_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(21, "USED_GOOD_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(22, "USED_ACCEPTABLE_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(23, "COLLECTIBLE_NEW_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(24, "COLLECTIBLE_VERY_GOOD_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(25, "COLLECTIBLE_GOOD_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(26, "COLLECTIBLE_ACCEPTABLE_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(27, "REFURBISHED_SHIPPING", _PRICE, 3, _OFFERS),
    Channel(28, "EBAY_NEW_SHIPPING", _PRICE, 3),
    Channel(29, "EBAY_USED_SHIPPING", _PRICE, 3),
    Channel(30, "TRADE_IN", _PRICE),
    Channel(31, "RENT", _PRICE, 2, _OFFERS),
    Channel(32, "BUY_BOX_USED_SHIPPING", _PRICE, 3, _BUY_BOX),
    Channel(33, "PRIME_EXCL", _PRICE, 2, _OFFERS),
    Channel(34, "COUNT_NEW_FBA", _COUNT),
    Channel(35, "COUNT_NEW_FBM", _COUNT),
)

CHANNEL_BY_NAME: Final = MappingProxyType({channel.name: channel for channel in CHANNELS})


@dataclass(frozen=True)
class Marketplace:
    """One Amazon marketplace; `exponent` is how many decimals its currency's money values carry."""

    domain_id: int
    code: str  # As in amazon.<code>.
    currency: str  # ISO 4217.
    exponent: int = 2


# Domain ids 0 and 7 are reserved.
MARKETPLACES: Final = MappingProxyType(
    {
        marketplace.domain_id: marketplace
        for marketplace in (
            Marketplace(1, "com", "USD"),
            Marketplace(2, "co.uk", "GBP"),
            Marketplace(3, "de", "EUR"),
            Marketplace(4, "fr", "EUR"),
            Marketplace(5, "co.jp", "JPY", 0),
            Marketplace(6, "ca", "CAD"),
            Marketplace(8, "it", "EUR"),
            Marketplace(9, "es", "EUR"),
            Marketplace(10, "in", "INR"),
            Marketplace(11, "com.mx", "MXN"),
            Marketplace(12, "com.br", "BRL"),
        )
    }
)


def minute_of(instant: datetime) -> int:
    """The Keepa minute in which an aware `instant` lies."""
    return (instant - EPOCH) // timedelta(minutes=1)


def unix_ms_of(minute: int) -> int:
    """When a Keepa minute begins in unix milliseconds, as the envelope's `timestamp` counts."""
    return (minute + EPOCH_UNIX_MINUTES) * 60_000
