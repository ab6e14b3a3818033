with

days as (

    select * from {{ ref('core_keepa_offer_count_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        count_channel,
        date,

        -- numerics
        count_open,
        count_close,
        count_min,
        count_max,
        count_avg,
        change_count
    from days

)

select * from final
