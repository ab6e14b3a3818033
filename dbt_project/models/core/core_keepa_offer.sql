{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={
            'built_from': ['domain_id', 'asin', 'history_version'],
            'current': 'stg_keepa_history',
        },
    )
}}

{{ after_the_checks_of_stg() }}

with

products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

sightings as (

    select
        offers.*,
        products.history_version,
        row_number() over (
            partition by offers.domain_id, offers.asin, offers.offer_id
            order by offers.fetched_at desc, offers.content_hash desc
        ) as sighting,
        -- The newest fetch that lists offers: one that is not among them is not on sale.
        first_value(offers.fetch_id) over (
            partition by offers.domain_id, offers.asin
            order by offers.fetched_at desc, offers.content_hash desc
        ) as newest_fetch_id
    from {{ ref('stg_keepa_offer') }} as offers
    inner join products
        on offers.domain_id = products.domain_id and offers.asin = products.asin

),

final as (

    select
        -- ids
        domain_id,
        asin,
        offer_id,
        history_version,
        seller_id,
        condition_id,

        -- numerics
        min_order_quantity,
        last_seen_minute,

        -- booleans
        is_live and fetch_id = newest_fetch_id as is_live,
        is_prime,
        is_fba,
        is_map,
        is_shippable,
        is_preorder,
        is_prime_exclusive,
        is_shipped_from_china,
        is_amazon,
        is_warehouse_deal,

        -- timestamps
        {{ instant_of_minute('last_seen_minute') }} as last_seen_at,
        fetched_at as described_at
    from sightings
    where sighting = 1

)

select * from final
