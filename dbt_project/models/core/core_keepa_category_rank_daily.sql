{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={
            'built_from': ['domain_id', 'asin', 'history_version'],
            'current': 'stg_keepa_history',
        },
    )
}}

-- The checks that nothing is lost on the way through STG need the quarantine. Naming it here makes
-- dbt run them before this model, so that a red one stops the build.
-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

points as (

    select
        changes.domain_id,
        changes.asin,
        changes.category_id,
        changes.sales_rank,
        changes.minute,
        products.history_version,
        {{ horizon_minute('products.last_as_of_date') }} as horizon_minute
    from {{ ref('stg_keepa_rank') }} as changes
    inner join products
        on changes.domain_id = products.domain_id and changes.asin = products.asin
    -- Without a category it is the main series, which has a model of its own.
    where changes.category_id is not null

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'category_id'],
        ['sales_rank', 'history_version'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        category_id,
        day_number,
        max(history_version) as history_version,
        max(case when is_opening then sales_rank end) as rank_open,
        max(case when is_closing then sales_rank end) as rank_close,
        min(sales_rank) as rank_min,
        max(sales_rank) as rank_max,
        {{ mean_over_minutes('sales_rank') }} as rank_avg,
        sum(case when is_change then 1 else 0 end) as change_count
    from pieces
    group by domain_id, asin, category_id, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        category_id,
        {{ date_of_day('day_number') }} as date,
        history_version,

        -- numerics
        rank_open,
        rank_close,
        rank_min,
        rank_max,
        rank_avg,
        cast(change_count as integer) as change_count
    from days

)

select * from final
