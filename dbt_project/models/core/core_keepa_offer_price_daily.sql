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
        changes.offer_id,
        changes.price,
        changes.landed_price,
        changes.currency_code,
        changes.minute,
        products.history_version,
        -- A price holds no longer than the offer was seen: through the minute of its last sighting.
        least(
            {{ horizon_minute('products.last_as_of_date') }},
            greatest(
                coalesce(offers.last_seen_minute, 0),
                max(changes.minute) over (
                    partition by changes.domain_id, changes.asin, changes.offer_id
                )
            ) + 1
        ) as horizon_minute
    from {{ ref('stg_keepa_offer_price') }} as changes
    inner join products
        on changes.domain_id = products.domain_id and changes.asin = products.asin
    left join {{ ref('core_keepa_offer') }} as offers
        on
            changes.domain_id = offers.domain_id
            and changes.asin = offers.asin
            and changes.offer_id = offers.offer_id

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'offer_id'],
        ['price', 'landed_price', 'currency_code', 'history_version'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        offer_id,
        day_number,
        max(history_version) as history_version,
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
        days.domain_id,
        days.asin,
        days.offer_id,
        {{ date_of_day('days.day_number') }} as date,
        days.history_version,
        offers.seller_id,
        offers.condition_id,

        -- attributes
        days.currency_code,

        -- numerics
        days.price_open,
        days.price_close,
        days.price_min,
        days.price_max,
        days.price_avg,
        days.landed_close,
        days.landed_min,
        days.landed_max,
        days.landed_avg,
        cast(days.minutes_priced as integer) as minutes_priced,
        cast(days.change_count as integer) as change_count
    from days
    left join {{ ref('core_keepa_offer') }} as offers
        on
            days.domain_id = offers.domain_id
            and days.asin = offers.asin
            and days.offer_id = offers.offer_id

)

select * from final
