{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_days() }}",
        post_hook="{{ remember(series_known()) }}",
        meta={
            'series_groups': ['category_rank'],
            'outdates': [
                "outdated.date >= changes.from_date",
                "'salesRanks:' || outdated.category_id = changes.series",
            ],
        },
    )
}}

-- The checks that nothing is lost on the way through STG need the quarantine. Naming it here makes
-- dbt run them before this model, so that a red one stops the build.
-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

series as (

    select * from {{ changed_days() }}

),

points as (

    select
        changes.domain_id,
        changes.asin,
        changes.category_id,
        changes.sales_rank,
        changes.minute,
        series.first_minute,
        series.horizon_minute,
        series.from_day
    from {{ ref('stg_keepa_rank') }} as changes
    inner join series
        on
            changes.domain_id = series.domain_id
            and changes.asin = series.asin
            and changes.series = series.series
            and changes.minute >= series.carry_minute
    -- Without a category it is the main series, which has a model of its own.
    where changes.category_id is not null

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'category_id'],
        ['sales_rank'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        category_id,
        day_number,
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
