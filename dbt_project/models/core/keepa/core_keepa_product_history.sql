{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['domain_id', 'asin', 'history_version'],
            'input': 'stg_keepa_history',
        },
    )
}}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

{% set answers_so_far -%}
    over (
        partition by domain_id, asin
        order by answer_number
        rows between unbounded preceding and current row
    )
{%- endset %}

with

products as (

    select history.*
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

answers as (

    select
        described.*,
        products.history_version,
        row_number() over (
            partition by described.domain_id, described.asin
            order by described.fetched_at, described.content_hash
        ) as answer_number
    from {{ ref('stg_keepa_product') }} as described
    inner join products
        on described.domain_id = products.domain_id and described.asin = products.asin
    -- An answer without data states nothing about the product.
    where described.is_usable

),

stated as (

    select
        domain_id,
        asin,
        history_version,
        fetched_at,
        content_hash,
        {{ last_stated(product_columns(), over=answers_so_far) }}
    from answers

),

snapshots as (

    select
        *,
        md5(
            concat_ws(
                '|',
                coalesce(title, '<none>'),
                coalesce(brand, '<none>'),
                coalesce(manufacturer, '<none>'),
                coalesce(model, '<none>'),
                coalesce(part_number, '<none>'),
                coalesce(color, '<none>'),
                coalesce(size, '<none>'),
                coalesce(binding, '<none>'),
                coalesce(product_group, '<none>'),
                coalesce(root_category_name, '<none>'),
                coalesce(parent_asin, '<none>'),
                coalesce(cast(availability_amazon as varchar), '<none>')
            )
        ) as attributes_hash
    from stated
    -- If two answers carry the same instant, the later by content counts.
    qualify
        row_number() over (
            partition by domain_id, asin, fetched_at
            order by content_hash desc
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
