{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_days() }}",
        post_hook="{{ remember(series_known()) }}",
        meta={
            'series_groups': ['monthly_sold'],
            'outdates': [
                "outdated.date >= changes.from_date",
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
        changes.monthly_sold,
        changes.state,
        changes.minute,
        series.first_minute,
        series.horizon_minute,
        series.from_day
    from {{ ref('stg_keepa_monthly_sold') }} as changes
    inner join series
        on
            changes.domain_id = series.domain_id
            and changes.asin = series.asin
            and changes.minute >= series.carry_minute
    where series.series = 'monthlySoldHistory'

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin'],
        ['monthly_sold', 'state'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
        max(monthly_sold) as monthly_sold_close,
        max(state) as close_state
    from pieces
    where is_closing
    group by domain_id, asin, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        {{ date_of_day('day_number') }} as date,

        -- attributes
        close_state,

        -- numerics
        cast(monthly_sold_close as integer) as monthly_sold_close
    from days

)

select * from final
