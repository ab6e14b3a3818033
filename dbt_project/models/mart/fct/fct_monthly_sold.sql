with

days as (

    select * from {{ ref('core_keepa_monthly_sold_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        date,

        -- attributes
        close_state,

        -- numerics
        monthly_sold_close
    from days

)

select * from final
