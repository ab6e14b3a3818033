{{ after_the_checks_of_stg() }}

with

history as (

    select * from {{ ref('stg_keepa_history') }}

),

-- An answer without data (unknown ASIN, hidden product) describes a product only as long as no other answer
-- does.
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

said as (

    select
        domain_id,
        asin,
        {% for column, field in said_columns().items() -%}
        max({{ as_said(column, field) }}) as {{ column }},
        {% endfor -%}
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
        {{ value_said('said.parent_asin') }} as parent_asin,
        {{ value_said('said.root_category_id', 'bigint') }} as root_category_id,

        -- attributes
        newest_snapshot.product_type,
        {{ value_said('said.title') }} as title,
        {{ value_said('said.brand') }} as brand,
        {{ value_said('said.manufacturer') }} as manufacturer,
        {{ value_said('said.model') }} as model,
        {{ value_said('said.part_number') }} as part_number,
        {{ value_said('said.color') }} as color,
        {{ value_said('said.size') }} as size,
        {{ value_said('said.binding') }} as binding,
        {{ value_said('said.product_group') }} as product_group,
        {{ value_said('said.root_category_name') }} as root_category_name,
        {{ value_said('said.availability_amazon', 'bigint') }} as availability_amazon,

        -- numerics
        history.fetch_count,

        -- booleans
        newest_snapshot.is_usable,

        -- timestamps
        coalesce(newest_snapshot.tracking_since_at, said.tracking_since_at) as tracking_since_at,
        coalesce(newest_snapshot.listed_since_at, said.listed_since_at) as listed_since_at,
        newest_snapshot.fetched_at as described_at,
        history.first_seen_at,
        history.last_fetched_at,
        history.last_as_of_date
    from history
    inner join newest_snapshot
        on
            history.domain_id = newest_snapshot.domain_id
            and history.asin = newest_snapshot.asin
    inner join said
        on history.domain_id = said.domain_id and history.asin = said.asin

)

select * from final
