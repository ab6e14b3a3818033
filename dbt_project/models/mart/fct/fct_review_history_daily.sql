with

days as (

    select * from {{ ref('core_keepa_reviews_daily') }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        date,

        -- numerics
        rating_close,
        review_count_close
    from days

)

select * from final
