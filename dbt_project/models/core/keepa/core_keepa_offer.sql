{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['domain_id', 'asin', 'history_version'],
            'input': 'stg_keepa_history',
        },
    )
}}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

products as (

    select history.*
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

sightings as (

    select
        offers.*,
        products.history_version,
        row_number() over (
            partition by offers.domain_id, offers.asin, offers.offer_id
            order by offers.fetched_at, offers.content_hash
        ) as answer_number
    from {{ ref('stg_keepa_offer') }} as offers
    inner join products
        on offers.domain_id = products.domain_id and offers.asin = products.asin

),

unreadable as (

    select distinct fetch_id
    from {{ ref('stg_keepa_series') }}
    where
        refusal_reason is not null
        and split_part(series, ':', 1) = 'offers'
        and fetch_id not in (select sightings.fetch_id from sightings)

),

-- The newest fetch of each product that lists the offers on sale: it has an order of the live
-- ones, or it asked and got none. A fetch that could not get offers repeats old ones, and counts
-- only where no other fetch lists any.
live_lists as (

    select
        snapshots.domain_id,
        snapshots.asin,
        snapshots.fetch_id
    from {{ ref('stg_keepa_product') }} as snapshots
    inner join products
        on snapshots.domain_id = products.domain_id and snapshots.asin = products.asin
    where
        snapshots.is_usable
        and snapshots.fetch_id not in (select unreadable.fetch_id from unreadable)
        and (
            snapshots.has_live_offers_order
            or (
                snapshots.is_offers_successful
                and snapshots.fetch_id not in (select sightings.fetch_id from sightings)
            )
        )
    qualify
        row_number() over (
            partition by snapshots.domain_id, snapshots.asin
            order by
                case
                    when
                        coalesce(snapshots.is_offers_successful, true)
                        and not {{ is_among('snapshots.refused_fields', 'liveOffersOrder') }}
                        then 0
                    else 1
                end,
                snapshots.fetched_at desc,
                snapshots.content_hash desc
        ) = 1

),

live as (

    select
        sightings.domain_id,
        sightings.asin,
        sightings.offer_id
    from sightings
    inner join live_lists on sightings.fetch_id = live_lists.fetch_id
    where sightings.is_live

),

offers as (

    select
        domain_id,
        asin,
        offer_id,
        max(history_version) as history_version,
        max(fetched_at) as fetched_at,
        {{ last_stated(offer_columns()) }}
    from sightings
    group by domain_id, asin, offer_id

),

final as (

    select
        -- ids
        offers.domain_id,
        offers.asin,
        offers.offer_id,
        offers.history_version,
        offers.seller_id,
        offers.condition_id,

        -- numerics
        offers.min_order_quantity,
        offers.last_seen_minute,

        -- booleans
        live.offer_id is not null as is_live,
        offers.is_prime,
        offers.is_fba,
        offers.is_map,
        offers.is_shippable,
        offers.is_preorder,
        offers.is_prime_exclusive,
        offers.is_shipped_from_china,
        offers.is_amazon,
        offers.is_warehouse_deal,

        -- timestamps
        {{ instant_of_minute('offers.last_seen_minute') }} as last_seen_at,
        offers.fetched_at as described_at
    from offers
    left join live
        on
            offers.domain_id = live.domain_id
            and offers.asin = live.asin
            and offers.offer_id = live.offer_id

)

select * from final
