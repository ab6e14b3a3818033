{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={
            'built_from': ['domain_id', 'asin', 'history_version'],
            'current': 'core_keepa_product',
        },
    )
}}

with

products as (

    select *
    from {{ ref('core_keepa_product') }} as product
    where {{ not_yet_built('product') }}

),

days as (

    select * from {{ ref('core_keepa_offer_price_daily') }}

),

final as (

    select
        -- ids
        days.domain_id,
        days.asin,
        days.offer_id,
        days.date,
        days.history_version,
        days.seller_id,
        days.condition_id,

        -- attributes
        days.currency_code,

        -- numerics
        days.price_open,
        days.price_close,
        days.price_min,
        days.price_max,
        days.price_avg,
        days.landed_close,
        days.landed_min,
        days.landed_max,
        days.landed_avg,
        days.minutes_priced,
        days.change_count
    from days
    inner join products
        on
            days.domain_id = products.domain_id
            and days.asin = products.asin
            and days.history_version = products.history_version

)

select * from final
