{{ config(meta={'series_groups': ['offer_count'], 'series': 'count_channel'}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_offer_count'),
        series='points.count_channel',
        keys=['domain_id', 'asin', 'count_channel'],
        values=['offer_count'],
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
