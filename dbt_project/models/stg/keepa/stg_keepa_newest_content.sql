{{ config(materialized='view') }}

with

snapshots as (

    select * from {{ ref('stg_keepa_product') }}
    -- An answer without data says nothing of the product.
    where is_usable

),

given as (

    {% for content, is_given in [
        ('categoryTree', 'has_category_tree'),
        ('variations', 'has_variations'),
        ('videos', 'has_videos'),
        ('aPlus', 'has_aplus'),
    ] %}
    {{ "union all" if not loop.first }}
    select
        domain_id,
        asin,
        '{{ content }}' as content,
        fetch_id,
        content_hash,
        fetched_at
    from snapshots
    where {{ is_given }}
    {% endfor %}

),

newest as (

    select
        -- ids
        domain_id,
        asin,
        content,
        fetch_id,

        -- timestamps
        fetched_at
    from given
    -- Of two answers of one instant the later by content counts.
    qualify
        row_number() over (
            partition by domain_id, asin, content
            order by fetched_at desc, content_hash desc
        ) = 1

)

select * from newest
