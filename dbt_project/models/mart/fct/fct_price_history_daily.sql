with

days as (

    select * from {{ ref('core_keepa_price_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        price_channel,
        date,

        -- attributes
        currency_code,
        close_state,

        -- numerics
        price_open,
        price_close,
        price_min,
        price_max,
        price_avg,
        landed_close,
        landed_min,
        landed_max,
        landed_avg,
        minutes_priced,
        minutes_unpriced,
        change_count
    from days

)

select * from final
