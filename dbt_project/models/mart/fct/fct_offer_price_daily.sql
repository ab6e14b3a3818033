with

days as (

    select * from {{ ref('core_keepa_offer_price_daily') }}

),

offers as (

    select * from {{ ref('core_keepa_offer') }}

),

final as (

    select
        -- ids
        days.domain_id,
        days.asin,
        days.offer_id,
        days.date,
        offers.seller_id,
        offers.condition_id,

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
    left join offers
        on
            days.domain_id = offers.domain_id
            and days.asin = offers.asin
            and days.offer_id = offers.offer_id

)

select * from final
