{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_days() }}",
        post_hook="{{ remember(series_known()) }}",
        meta={
            'series_groups': ['offer_count'],
            'outdates': [
                "outdated.date >= changes.from_date",
                "outdated.count_channel = changes.series",
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
        changes.count_channel,
        changes.offer_count,
        changes.minute,
        series.first_minute,
        series.horizon_minute,
        series.from_day
    from {{ ref('stg_keepa_offer_count') }} as changes
    inner join series
        on
            changes.domain_id = series.domain_id
            and changes.asin = series.asin
            and changes.count_channel = series.series
            and changes.minute >= series.carry_minute

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'count_channel'],
        ['offer_count'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        count_channel,
        day_number,
        max(case when is_opening then offer_count end) as count_open,
        max(case when is_closing then offer_count end) as count_close,
        min(offer_count) as count_min,
        max(offer_count) as count_max,
        {{ mean_over_minutes('offer_count') }} as count_avg,
        sum(case when is_change then 1 else 0 end) as change_count
    from pieces
    group by domain_id, asin, count_channel, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        count_channel,
        {{ date_of_day('day_number') }} as date,

        -- numerics
        count_open,
        count_close,
        count_min,
        count_max,
        count_avg,
        cast(change_count as integer) as change_count
    from days

)

select * from final
