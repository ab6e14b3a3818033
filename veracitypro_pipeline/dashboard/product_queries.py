"""The queries of the page about a product, in SQL of both engines. Pure.

Days are UTC days. Values are those at the end of the day; amounts are in units of the marketplace's
currency. Every function takes products of one marketplace.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

from veracitypro_pipeline.statement import Statement

PRODUCTS: Final = Statement("""
select
    domain_id,
    asin,
    title,
    brand,
    marketplace_code,
    currency_code,
    role,
    product_line,
    last_fetched_at
from MART.DIM_PRODUCT
order by case role when 'own' then 0 when 'competitor' then 1 else 2 end, domain_id, brand, asin
""")

_CHANNELS: Final = """
select
    price_channel,
    min(date) as first_day,
    max(date) as last_day,
    max(case when price_close is not null then date end) as last_priced_day
from MART.FCT_PRICE_HISTORY_DAILY
where domain_id = $domain_id and asin = $asin
group by price_channel
order by price_channel
"""
_PRICES: Final = """
select asin, price_channel, date, price_close, landed_close
from MART.FCT_PRICE_HISTORY_DAILY
where
    domain_id = $domain_id
    and asin in ($asins)
    and price_channel in ($channels)
    and date between $since and $until
order by asin, price_channel, date
"""
_RANKS: Final = """
select asin, date, rank_close
from MART.FCT_RANK_HISTORY_DAILY
where domain_id = $domain_id and asin in ($asins) and date between $since and $until
order by asin, date
"""
_REVIEWS: Final = """
select asin, date, rating_close, review_count_close
from MART.FCT_REVIEW_HISTORY_DAILY
where domain_id = $domain_id and asin in ($asins) and date between $since and $until
order by asin, date
"""
_HOLDERS: Final = """
select
    days.date,
    days.seller_id,
    days.share_pct,
    coalesce(sellers.is_amazon, false) as is_amazon
from MART.FCT_BUYBOX_HISTORY_DAILY as days
left join MART.DIM_SELLER as sellers
    on days.domain_id = sellers.domain_id and days.seller_id = sellers.seller_id
where days.domain_id = $domain_id and days.asin = $asin and days.date between $since and $until
order by days.date, days.share_pct desc, days.seller_id
"""


def channels(domain_id: int, asin: str) -> Statement:
    """The product's price channels, with the first, last and last priced day of each."""
    return Statement(_CHANNELS, {"domain_id": domain_id, "asin": asin})


def prices(
    domain_id: int, asins: Sequence[str], price_channels: Sequence[str], since: date, until: date
) -> Statement:
    """Price and landed price by product, channel and day, both days included."""
    return Statement(
        _PRICES,
        {
            "domain_id": domain_id,
            "asins": list(asins),
            "channels": list(price_channels),
            "since": since,
            "until": until,
        },
    )


def ranks(domain_id: int, asins: Sequence[str], since: date, until: date) -> Statement:
    """Sales rank by product and day."""
    return Statement(_RANKS, _span(domain_id, since, until) | {"asins": list(asins)})


def reviews(domain_id: int, asins: Sequence[str], since: date, until: date) -> Statement:
    """Rating and number of ratings by product and day."""
    return Statement(_REVIEWS, _span(domain_id, since, until) | {"asins": list(asins)})


def holders(domain_id: int, asin: str, since: date, until: date) -> Statement:
    """The holders of the product's buy box, with their share of each day in percent."""
    return Statement(_HOLDERS, _span(domain_id, since, until) | {"asin": asin})


def _span(domain_id: int, since: date, until: date) -> dict[str, object]:
    return {"domain_id": domain_id, "since": since, "until": until}
