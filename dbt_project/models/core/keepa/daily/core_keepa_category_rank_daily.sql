{{ config(meta={'series_groups': ['category_rank'], 'series': "'salesRanks:' || category_id"}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

ranks as (

    select * from {{ ref('stg_keepa_rank') }}
    -- Without a category it is the main series, which has a model of its own.
    where category_id is not null

),

pieces as (

    {{ pieces_of_days(
        'ranks',
        series='points.series',
        keys=['domain_id', 'asin', 'category_id'],
        values=['sales_rank'],
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
