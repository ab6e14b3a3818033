-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

sightings as (

    select
        domain_id,
        seller_id,
        changed_at as seen_at
    from {{ ref('stg_keepa_buybox') }}
    where seller_id is not null
    union all
    select
        domain_id,
        seller_id,
        changed_at as seen_at
    from {{ ref('stg_keepa_buybox_used') }}
    where seller_id is not null
    union all
    select
        offers.domain_id,
        offers.seller_id,
        prices.changed_at as seen_at
    from {{ ref('stg_keepa_offer_price') }} as prices
    inner join {{ ref('core_keepa_offer') }} as offers
        on
            prices.domain_id = offers.domain_id
            and prices.asin = offers.asin
            and prices.offer_id = offers.offer_id
    where offers.seller_id is not null
    union all
    select
        domain_id,
        seller_id,
        coalesce(last_seen_at, described_at) as seen_at
    from {{ ref('core_keepa_offer') }}
    where seller_id is not null

),

amazon as (

    select
        domain_id,
        seller_id,
        max(case when is_amazon then 1 else 0 end) = 1 as is_amazon
    from {{ ref('core_keepa_offer') }}
    where seller_id is not null
    group by domain_id, seller_id

),

final as (

    select
        -- ids
        sightings.domain_id,
        sightings.seller_id,

        -- booleans
        coalesce(max(case when amazon.is_amazon then 1 else 0 end), 0) = 1 as is_amazon,

        -- timestamps
        min(sightings.seen_at) as first_seen_at,
        max(sightings.seen_at) as last_seen_at
    from sightings
    left join amazon
        on sightings.domain_id = amazon.domain_id and sightings.seller_id = amazon.seller_id
    group by sightings.domain_id, sightings.seller_id

)

select * from final
