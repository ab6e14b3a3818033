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
    -- An answer without data says nothing of the product.
    where described.is_usable

),

said as (

    select
        domain_id,
        asin,
        history_version,
        fetched_at,
        content_hash,
        {% for column, field in said_columns().items() -%}
        max({{ as_said(column, field) }}) over (
            partition by domain_id, asin
            order by answer_number
            rows between unbounded preceding and current row
        ) as {{ column }}{{ "," if not loop.last }}
        {% endfor %}
    from answers

),

snapshots as (

    select
        domain_id,
        asin,
        history_version,
        fetched_at,
        {% for column in said_columns() if column != 'root_category_id' -%}
        {{ value_said(column) }} as {{ column }},
        {% endfor -%}
        md5(
            concat_ws(
                '|',
                coalesce({{ value_said('title') }}, '<none>'),
                coalesce({{ value_said('brand') }}, '<none>'),
                coalesce({{ value_said('manufacturer') }}, '<none>'),
                coalesce({{ value_said('model') }}, '<none>'),
                coalesce({{ value_said('part_number') }}, '<none>'),
                coalesce({{ value_said('color') }}, '<none>'),
                coalesce({{ value_said('size') }}, '<none>'),
                coalesce({{ value_said('binding') }}, '<none>'),
                coalesce({{ value_said('product_group') }}, '<none>'),
                coalesce({{ value_said('root_category_name') }}, '<none>'),
                coalesce({{ value_said('parent_asin') }}, '<none>'),
                coalesce({{ value_said('availability_amazon') }}, '<none>')
            )
        ) as attributes_hash
    from said
    -- Of two answers of one instant the later by content counts.
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
        cast(availability_amazon as bigint) as availability_amazon,

        -- timestamps
        fetched_at as valid_from_at,
        lead(fetched_at) over (
            partition by domain_id, asin
            order by fetched_at
        ) as valid_to_at
    from changes

)

select * from final
