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

with

{{ content_elements('has_category_tree', 'categoryTree') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        {{ id_or_none('element', 'catId') }} as category_id,
        history_version,

        -- attributes
        {{ text_or_none('element', 'name') }} as category_name,

        -- timestamps
        fetched_at
    from elements

)

select * from final
