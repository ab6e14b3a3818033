{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_days() }}",
        post_hook="{{ remember(series_known()) }}",
        meta={
            'series_groups': ['offer_price'],
            'outdates': [
                "outdated.date >= changes.from_date",
                "'offerCSV:' || outdated.offer_id = changes.series",
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
        changes.offer_id,
        changes.price,
        changes.landed_price,
        changes.currency_code,
        changes.minute,
        series.first_minute,
        series.horizon_minute,
        series.from_day
    from {{ ref('stg_keepa_offer_price') }} as changes
    inner join series
        on
            changes.domain_id = series.domain_id
            and changes.asin = series.asin
            and changes.series = series.series
            and changes.minute >= series.carry_minute

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'offer_id'],
        ['price', 'landed_price', 'currency_code'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        offer_id,
        day_number,
        max(currency_code) as currency_code,
        max(case when is_opening then price end) as price_open,
        max(case when is_closing then price end) as price_close,
        min(price) as price_min,
        max(price) as price_max,
        {{ mean_over_minutes('price') }} as price_avg,
        max(case when is_closing then landed_price end) as landed_close,
        min(landed_price) as landed_min,
        max(landed_price) as landed_max,
        {{ mean_over_minutes('landed_price') }} as landed_avg,
        sum(case when price is not null then minutes else 0 end) as minutes_priced,
        sum(case when is_change then 1 else 0 end) as change_count
    from pieces
    group by domain_id, asin, offer_id, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        offer_id,
        {{ date_of_day('day_number') }} as date,

        -- attributes
        currency_code,

        -- numerics
        price_open,
        price_close,
        price_min,
        price_max,
        price_avg,
        landed_close,
        landed_min,
        landed_max,
        landed_avg,
        cast(minutes_priced as integer) as minutes_priced,
        cast(change_count as integer) as change_count
    from days

)

select * from final
