{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_days() }}",
        post_hook="{{ remember(series_known()) }}",
        meta={
            'series_groups': ['buy_box'],
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
        changes.seller_id,
        changes.minute,
        series.first_minute,
        series.horizon_minute,
        series.from_day
    from {{ ref('stg_keepa_buybox') }} as changes
    inner join series
        on
            changes.domain_id = series.domain_id
            and changes.asin = series.asin
            and changes.minute >= series.carry_minute
    where series.series = 'buyBoxSellerIdHistory'

),

pieces as (

    {{ pieces_of_days('points', ['domain_id', 'asin'], ['seller_id']) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
        seller_id,
        sum(minutes) as minutes_held,
        max(case when is_closing then 1 else 0 end) as last_holder_count
    from pieces
    -- Nobody, and a seller whom Keepa cannot name, hold no share.
    where seller_id is not null
    group by domain_id, asin, day_number, seller_id

),

final as (

    select
        -- ids
        domain_id,
        asin,
        {{ date_of_day('day_number') }} as date,
        seller_id,

        -- numerics
        cast(minutes_held as integer) as minutes_held,
        {{ share_of_day('minutes_held') }} as share_pct,

        -- booleans
        last_holder_count = 1 as is_last_holder
    from days

)

select * from final
