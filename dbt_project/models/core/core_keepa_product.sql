{{ after_the_checks_of_stg() }}

with

history as (

    select * from {{ ref('stg_keepa_history') }}

),

snapshots as (

    select * from {{ ref('stg_keepa_product') }}

),

newest_snapshot as (

    select *
    from snapshots
    -- An answer without data (unknown ASIN, hidden product) describes a product only as long as no
    -- other answer does.
    qualify
        row_number() over (
            partition by domain_id, asin
            order by case when is_usable then 0 else 1 end, fetched_at desc, content_hash desc
        ) = 1

),

final as (

    select
        -- ids
        history.domain_id,
        history.asin,
        history.history_version,
        newest_snapshot.parent_asin,
        newest_snapshot.root_category_id,

        -- attributes
        newest_snapshot.product_type,
        newest_snapshot.title,
        newest_snapshot.brand,
        newest_snapshot.manufacturer,
        newest_snapshot.model,
        newest_snapshot.part_number,
        newest_snapshot.color,
        newest_snapshot.size,
        newest_snapshot.binding,
        newest_snapshot.product_group,
        newest_snapshot.root_category_name,
        newest_snapshot.availability_amazon,

        -- numerics
        history.fetch_count,

        -- booleans
        newest_snapshot.is_usable,

        -- timestamps
        newest_snapshot.tracking_since_at,
        newest_snapshot.listed_since_at,
        newest_snapshot.fetched_at as described_at,
        history.first_seen_at,
        history.last_fetched_at,
        history.last_as_of_date
    from history
    inner join newest_snapshot
        on
            history.domain_id = newest_snapshot.domain_id
            and history.asin = newest_snapshot.asin

)

select * from final
