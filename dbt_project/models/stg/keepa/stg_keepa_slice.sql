{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_products() }}",
        post_hook="{{ remember(products_known()) }}",
        meta={'outdates': []},
    )
}}

with

products as (

    select
        domain_id,
        asin
    from {{ changed_products() }}

),

series as (

    select series.*
    from {{ ref('stg_keepa_series') }} as series
    inner join products
        on series.domain_id = products.domain_id and series.asin = products.asin
    where series.good_count > 0

),

newer as (

    select
        *,
        -- The merge rule: where a newer fetch has the series, it speaks from its own first minute
        -- on; before that minute the older fetch still does. One without the series says nothing.
        coalesce(
            min(first_minute) over (
                partition by domain_id, asin, series
                order by fetched_at desc, content_hash desc
                rows between unbounded preceding and 1 preceding
            ),
            cast({{ keepa_largest_integer() }} as bigint) + 1
        ) as until_minute
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

        -- timestamps
        fetched_at
    from newer
    where first_minute < until_minute

)

select * from final
