{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_newest_content',
            'input_where': "in_force.content = 'categoryTree'",
            'has_empty_keys': True,
        },
    )
}}

with

{{ content_elements('categoryTree') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        {{ id_or_none('element', 'catId') }} as category_id,
        fetch_id,

        -- attributes
        {{ text_or_none('element', 'name') }} as category_name,

        -- timestamps
        fetched_at
    from elements

)

select * from final
