with

days as (

    select * from {{ ref('core_keepa_category_rank_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        category_id,
        date,

        -- numerics
        rank_open,
        rank_close,
        rank_min,
        rank_max,
        rank_avg,
        change_count
    from days

)

select * from final
