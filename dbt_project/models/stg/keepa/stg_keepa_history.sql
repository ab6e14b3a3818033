with

fetches as (

    select * from {{ ref('stg_keepa_fetch') }}

),

by_product as (

    select
        -- ids
        domain_id,
        asin,
        -- Says which fetches the product is known from, and up to which day: two tables with the
        -- same version are made from the same input.
        md5(
            {{ joined_in_order('case when not is_repeat then fetch_id end') }}
            || cast(max(as_of_date) as varchar)
        ) as history_version,

        -- numerics
        sum(case when is_repeat then 0 else 1 end) as fetch_count,
        count(*) as record_count,

        -- timestamps
        min(fetched_at) as first_seen_at,
        max(fetched_at) as last_fetched_at,
        max(as_of_date) as last_as_of_date
    from fetches
    group by domain_id, asin

)

select * from by_product
