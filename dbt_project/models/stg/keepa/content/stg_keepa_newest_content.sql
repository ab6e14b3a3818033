{{ config(materialized='view') }}

with

snapshots as (

    select * from {{ ref('stg_keepa_product') }}

),

given as (

    -- An answer without data states nothing. A variation parent has its variations and no data.
    {% for content, is_given in [
        ('categoryTree', 'has_category_tree and is_usable'),
        ('variations', 'has_variations and (is_usable or product_type = 5)'),
        ('videos', 'has_videos and is_usable'),
        ('aPlus', 'has_aplus and is_usable'),
    ] %}
    {{ "union all" if not loop.first }}
    select
        domain_id,
        asin,
        '{{ content }}' as content,
        fetch_id,
        content_hash,
        fetched_at,
        {{ is_among('refused_fields', content) }} as has_refusals
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
    -- The last list that could be read whole stays, until another can be. Of two answers of one
    -- instant the later by content counts.
    qualify
        row_number() over (
            partition by domain_id, asin, content
            order by case when has_refusals then 1 else 0 end, fetched_at desc, content_hash desc
        ) = 1

)

select * from newest
