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
        reviews.domain_id,
        reviews.asin,
        reviews.measure,
        reviews.value,
        reviews.minute,
        products.history_version,
        {{ horizon_minute('products.last_as_of_date') }} as horizon_minute
    from {{ ref('stg_keepa_reviews') }} as reviews
    inner join products
        on reviews.domain_id = products.domain_id and reviews.asin = products.asin

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'measure'],
        ['value', 'history_version'],
    ) }}

),

-- The two change at different minutes, so each is carried by itself and they meet at the day's end.
days as (

    select
        domain_id,
        asin,
        day_number,
        max(history_version) as history_version,
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
        history_version,

        -- numerics
        cast(rating_close as decimal(2, 1)) as rating_close,
        cast(review_count_close as integer) as review_count_close
    from days

)

select * from final
