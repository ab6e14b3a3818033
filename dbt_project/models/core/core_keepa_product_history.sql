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

{{ after_the_checks_of_stg() }}

with

products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

snapshots as (

    select
        described.*,
        products.history_version,
        md5(
            concat_ws(
                '|',
                coalesce(cast(described.title as varchar), '<none>'),
                coalesce(cast(described.brand as varchar), '<none>'),
                coalesce(cast(described.manufacturer as varchar), '<none>'),
                coalesce(cast(described.model as varchar), '<none>'),
                coalesce(cast(described.part_number as varchar), '<none>'),
                coalesce(cast(described.color as varchar), '<none>'),
                coalesce(cast(described.size as varchar), '<none>'),
                coalesce(cast(described.binding as varchar), '<none>'),
                coalesce(cast(described.product_group as varchar), '<none>'),
                coalesce(cast(described.root_category_name as varchar), '<none>'),
                coalesce(cast(described.parent_asin as varchar), '<none>'),
                coalesce(cast(described.availability_amazon as varchar), '<none>')
            )
        ) as attributes_hash
    from {{ ref('stg_keepa_product') }} as described
    inner join products
        on described.domain_id = products.domain_id and described.asin = products.asin
    -- An answer without data says nothing of the product.
    where described.is_usable
    -- Of two answers of one instant the later by content counts.
    qualify
        row_number() over (
            partition by described.domain_id, described.asin, described.fetched_at
            order by described.content_hash desc
        ) = 1

),

compared as (

    select
        *,
        lag(attributes_hash) over (
            partition by domain_id, asin
            order by fetched_at
        ) as hash_before
    from snapshots

),

-- Only where something changed.
changes as (

    select *
    from compared
    where hash_before is null or hash_before <> attributes_hash

),

final as (

    select
        -- ids
        domain_id,
        asin,
        history_version,
        parent_asin,

        -- attributes
        title,
        brand,
        manufacturer,
        model,
        part_number,
        color,
        size,
        binding,
        product_group,
        root_category_name,
        availability_amazon,

        -- timestamps
        fetched_at as valid_from_at,
        lead(fetched_at) over (
            partition by domain_id, asin
            order by fetched_at
        ) as valid_to_at
    from changes

)

select * from final
