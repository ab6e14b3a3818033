-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

history as (

    select * from {{ ref('stg_keepa_history') }}

),

-- A fetch without data (unknown ASIN, hidden product) describes a product only if no other does.
snapshots as (

    select
        *,
        row_number() over (
            partition by domain_id, asin
            order by case when is_usable then 1 else 0 end, fetched_at, content_hash
        ) as answer_number
    from {{ ref('stg_keepa_product') }}

),

newest_snapshot as (

    select *
    from snapshots
    qualify answer_number = max(answer_number) over (partition by domain_id, asin)

),

stated as (

    select
        domain_id,
        asin,
        {{ last_stated(product_columns()) }},
        max(case when is_usable then tracking_since_at end) as tracking_since_at,
        max(case when is_usable then listed_since_at end) as listed_since_at
    from snapshots
    group by domain_id, asin

),

final as (

    select
        -- ids
        history.domain_id,
        history.asin,
        history.history_version,
        stated.parent_asin,
        stated.root_category_id,

        -- attributes
        newest_snapshot.product_type,
        stated.title,
        stated.brand,
        stated.manufacturer,
        stated.model,
        stated.part_number,
        stated.color,
        stated.size,
        stated.binding,
        stated.product_group,
        stated.root_category_name,
        stated.availability_amazon,

        -- numerics
        history.fetch_count,

        -- booleans
        newest_snapshot.is_usable,

        -- timestamps
        coalesce(newest_snapshot.tracking_since_at, stated.tracking_since_at) as tracking_since_at,
        coalesce(newest_snapshot.listed_since_at, stated.listed_since_at) as listed_since_at,
        newest_snapshot.fetched_at as described_at,
        history.first_seen_at,
        history.last_fetched_at,
        history.last_as_of_date
    from history
    inner join newest_snapshot
        on
            history.domain_id = newest_snapshot.domain_id
            and history.asin = newest_snapshot.asin
    inner join stated
        on history.domain_id = stated.domain_id and history.asin = stated.asin

)

select * from final
