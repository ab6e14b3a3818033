{{ config(meta={'series_groups': ['rating', 'review_count'], 'rows_span_series': True}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_reviews'),
        series='points.series',
        keys=['domain_id', 'asin', 'measure'],
        values=['value'],
    ) }}

),

-- The two change at different minutes, so each is carried by itself and they meet at the day's end.
days as (

    select
        domain_id,
        asin,
        day_number,
        max(case when measure = 'rating' then value end) as rating_close,
        max(case when measure = 'review_count' then value end) as review_count_close
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

        -- numerics
        cast(rating_close as decimal(2, 1)) as rating_close,
        cast(review_count_close as integer) as review_count_close
    from days

)

select * from final
