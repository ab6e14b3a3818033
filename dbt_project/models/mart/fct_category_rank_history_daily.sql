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

    select * from {{ ref('core_keepa_category_rank_daily') }}

),

final as (

    select
        -- ids
        days.domain_id,
        days.asin,
        days.category_id,
        days.date,
        days.history_version,

        -- numerics
        days.rank_open,
        days.rank_close,
        days.rank_min,
        days.rank_max,
        days.rank_avg,
        days.change_count
    from days
    inner join products
        on
            days.domain_id = products.domain_id
            and days.asin = products.asin
            and days.history_version = products.history_version

)

select * from final
