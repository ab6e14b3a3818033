{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'entity',
            'input': 'stg_keepa_history',
            'version': 'history_version',
        },
    )
}}

with

products as (

    select
        domain_id,
        asin
    from {{ outdated_products() }}

),

fetches as (

    select
        fetched.fetch_id,
        max(fetched.as_of_date) as as_of_date
    from {{ ref('stg_keepa_fetch') }} as fetched
    inner join products
        on fetched.domain_id = products.domain_id and fetched.asin = products.asin
    group by fetched.fetch_id

),

series as (

    select
        series.*,
        fetches.as_of_date
    from {{ ref('stg_keepa_series') }} as series
    inner join fetches on series.fetch_id = fetches.fetch_id
    where series.good_count > 0

),

newer as (

    select
        *,
        -- The merge rule: a newer fetch that has the series is in force from its own first minute
        -- on, and the older one before that. A fetch without the series changes nothing.
        coalesce(
            min(first_minute) over (
                partition by domain_id, asin, series
                order by fetched_at desc, content_hash desc
                rows between unbounded preceding and 1 preceding
            ),
            {{ no_newer_slice() }}
        ) as until_minute,
        max(as_of_date) over (partition by domain_id, asin, series) as last_as_of_date
    from series

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series,
        series_group,
        slot,
        fetch_id,
        text_hash,

        -- numerics
        cast(first_minute as bigint) as first_minute,
        cast(until_minute as bigint) as until_minute,
        repeated_count,
        refused_count,

        -- timestamps
        fetched_at,
        last_as_of_date
    from newer
    where first_minute < until_minute

)

select * from final
