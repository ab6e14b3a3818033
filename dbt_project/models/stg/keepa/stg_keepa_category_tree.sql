{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        post_hook="{{ remember_keys_without_rows(ref('stg_keepa_newest_content')) }}",
        meta={
            'built_from': ['fetch_id'],
            'current': 'stg_keepa_newest_content',
            'current_where': "in_force.content = 'categoryTree'",
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
