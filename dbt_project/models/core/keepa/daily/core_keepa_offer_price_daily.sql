{{ config(meta={'series_groups': ['offer_price'], 'series': "'offerCSV:' || offer_id"}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_offer_price'),
        series='points.series',
        keys=['domain_id', 'asin', 'offer_id', 'currency_code'],
        values=['price', 'landed_price'],
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
