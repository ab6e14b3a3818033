{{ config(meta={'series_groups': ['price'], 'series': 'price_channel'}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_price'),
        series='points.price_channel',
        keys=['domain_id', 'asin', 'price_channel', 'currency_code'],
        values=['price', 'landed_price', 'state'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        price_channel,
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
        max(case when is_closing then state end) as close_state,
        sum(case when price is not null then minutes else 0 end) as minutes_priced,
        sum(case when is_change then 1 else 0 end) as change_count
    from pieces
    group by domain_id, asin, price_channel, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        price_channel,
        {{ date_of_day('day_number') }} as date,

        -- attributes
        currency_code,
        close_state,

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
        -- Also the minutes before the first point, about which nothing is known.
        cast(1440 - minutes_priced as integer) as minutes_unpriced,
        cast(change_count as integer) as change_count
    from days

)

select * from final
