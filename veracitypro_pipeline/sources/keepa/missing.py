"""What came from Keepa on earlier nights and does not come any more: histories, attributes, offers.

Keepa, its plan or Airbyte's selection of columns can leave a key out. Tables keep what they know
then, so that no table shows the gap.
"""

from typing import Final

from veracitypro_pipeline.sources.source import ANY, NAMED_PRODUCTS

# A name of Keepa's -> the column that has what it gives.
ATTRIBUTES: Final = {
    "title": "title",
    "brand": "brand",
    "manufacturer": "manufacturer",
    "model": "model",
    "partNumber": "part_number",
    "color": "color",
    "size": "size",
    "binding": "binding",
    "productGroup": "product_group",
    "parentAsin": "parent_asin",
    "rootCategory": "root_category_id",
    "categoryTree": "root_category_name",
    "availabilityAmazon": "availability_amazon",
}
LISTS: Final = {"variations": "has_variations", "videos": "has_videos", "aPlus": "has_aplus"}
OFFER_ATTRIBUTES: Final = {
    "sellerId": "seller_id",
    "condition": "condition_id",
    "lastSeen": "last_seen_minute",
    "isPrime": "is_prime",
    "isFBA": "is_fba",
    "isAmazon": "is_amazon",
}


def _gives(table: str, prefix: str, name: str, condition: str) -> str:
    return (
        f"select domain_id, asin, is_newest, '{prefix}{name}' as what from {table}"  # noqa: S608 - names of this module
        f" where {condition} or (is_newest and contains(',' || refused_fields, ',{name},'))"
    )


_WHAT_IS_GIVEN: Final = "\n    union all\n    ".join(
    [
        *(_gives("products", "", name, f"{of} is not null") for name, of in ATTRIBUTES.items()),
        *(_gives("products", "", name, of) for name, of in LISTS.items()),
        *(
            _gives("offers", "offers.", name, f"{of} is not null")
            for name, of in OFFER_ATTRIBUTES.items()
        ),
    ]
)

_OF_PRODUCTS: Final = ", ".join(f"'{name}'" for name in (*ATTRIBUTES, *LISTS))
_OF_OFFERS: Final = ", ".join(
    f"'{name}'"
    for name in (*(f"offers.{name}" for name in OFFER_ATTRIBUTES), "offerCSV", "stockCSV")
)

# Each name that some products of these files lack and had on one of the seven days before on which
# they were fetched (a week without any fetch must not make everything look new): the products that
# had it, those that lack it, those of them whose answer does not say that there is none, and some.
# What was refused is not missing.
MISSING: Final = f"""
with newest as (
    select domain_id, asin, fetch_id, fetched_at
    from STG.STG_KEEPA_FETCH
    where source_file in ($files)
    qualify row_number() over (
        partition by domain_id, asin order by fetched_at desc, content_hash desc
    ) = 1
),
earlier as (
    select fetches.domain_id, fetches.asin, fetches.fetch_id
    from STG.STG_KEEPA_FETCH as fetches
    inner join newest
        on fetches.domain_id = newest.domain_id and fetches.asin = newest.asin
    where fetches.fetched_at < newest.fetched_at
    qualify dense_rank() over (
        partition by fetches.domain_id, fetches.asin
        order by cast(fetches.fetched_at as date) desc
    ) <= 7
),
answers as (
    select domain_id, asin, fetch_id, true as is_newest from newest
    union all
    select distinct domain_id, asin, fetch_id, false as is_newest from earlier
),
series as (
    select distinct
        answers.domain_id,
        answers.asin,
        answers.is_newest,
        split_part(of_fetch.series, ':', 1) as what
    from STG.STG_KEEPA_SERIES as of_fetch
    inner join answers on of_fetch.fetch_id = answers.fetch_id
    where
        of_fetch.good_count > 0
        or (
            answers.is_newest
            and (of_fetch.point_count > 0 or of_fetch.refusal_reason is not null)
        )
),
products as (
    select
        described.*,
        answers.is_newest
    from STG.STG_KEEPA_PRODUCT as described
    inner join answers on described.fetch_id = answers.fetch_id
),
offers as (
    select
        listed.*,
        answers.is_newest
    from STG.STG_KEEPA_OFFER as listed
    inner join answers on listed.fetch_id = answers.fetch_id
),
given as (
    select domain_id, asin, is_newest, what from series
    union all
    select domain_id, asin, is_newest, '{ANY}' as what from series
    union all
    {_WHAT_IS_GIVEN}
    union all
    select domain_id, asin, is_newest, 'offers' as what from offers
    union all
    select domain_id, asin, is_newest, 'offers' as what from products
    where is_newest and (is_offers_successful or has_live_offers_order)
),
compared as (
    select
        had.domain_id,
        had.asin,
        had.what,
        has.what is null as is_missing,
        -- Null is an answer: there is none.
        has.what is null
        and (
            had.what not in ({_OF_PRODUCTS})
            or contains(',' || newest_product.absent_fields, ',' || had.what || ',')
        ) as is_unsaid
    from (select distinct domain_id, asin, what from given where not is_newest) as had
    inner join (select * from products where is_newest) as newest_product
        on had.domain_id = newest_product.domain_id and had.asin = newest_product.asin
    left join (select distinct domain_id, asin, what from given where is_newest) as has
        on had.domain_id = has.domain_id and had.asin = has.asin and had.what = has.what
    left join (select distinct domain_id, asin from series where is_newest) as with_any
        on had.domain_id = with_any.domain_id and had.asin = with_any.asin
    left join (select distinct domain_id, asin from offers where is_newest) as with_offers
        on had.domain_id = with_offers.domain_id and had.asin = with_offers.asin
    where
        had.what in ('{ANY}', 'offers')
        or case
            when had.what in ({_OF_OFFERS}) then with_offers.asin is not null
            -- An answer without data has no attributes.
            when had.what in ({_OF_PRODUCTS}) then newest_product.is_usable
            -- It is said once of a product that it has none at all.
            else with_any.asin is not null
        end
),
counted as (
    select
        what,
        asin,
        is_missing,
        count(*) over (partition by what) as had_it,
        sum(case when is_missing then 1 else 0 end) over (partition by what) as lack_it,
        sum(case when is_unsaid then 1 else 0 end) over (partition by what) as unsaid,
        row_number() over (
            partition by what
            order by
                case when is_unsaid then 0 when is_missing then 1 else 2 end, asin, domain_id
        ) as place
    from compared
)
select what, asin, had_it, lack_it, unsaid
from counted
where is_missing and place <= {NAMED_PRODUCTS}
order by lack_it desc, what, place
"""  # noqa: S608 - names of columns
