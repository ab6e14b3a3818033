with

days as (

    select * from {{ ref('core_keepa_buybox_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        date,
        seller_id,

        -- numerics
        minutes_held,
        share_pct,

        -- booleans
        is_last_holder
    from days

)

select * from final
