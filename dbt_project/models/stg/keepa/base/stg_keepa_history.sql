with

fetches as (

    select
        fetch_id,
        domain_id,
        asin,
        count(*) as record_count,
        min(fetched_at) as fetched_at,
        -- A file can be delivered a second time, for another day.
        max(as_of_date) as as_of_date
    from {{ ref('stg_keepa_fetch') }}
    group by fetch_id, domain_id, asin

),

by_product as (

    select
        -- ids
        domain_id,
        asin,
        -- Says which fetches the product is known from, and for which days: two tables with the
        -- same version are made from the same input.
        md5(
            {{ joined_in_order("fetch_id || '@' || " ~ date_as_text('as_of_date')) }}
        ) as history_version,

        -- numerics
        count(*) as fetch_count,
        sum(record_count) as record_count,

        -- timestamps
        min(fetched_at) as first_seen_at,
        max(fetched_at) as last_fetched_at,
        max(as_of_date) as last_as_of_date
    from fetches
    group by domain_id, asin

)

select * from by_product
