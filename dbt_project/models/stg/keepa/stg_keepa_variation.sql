{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        post_hook="{{ remember_keys_without_rows(ref('stg_keepa_newest_content')) }}",
        meta={
            'built_from': ['fetch_id'],
            'current': 'stg_keepa_newest_content',
            'current_where': "in_force.content = 'variations'",
        },
    )
}}

with

{{ content_elements('variations') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        {{ text_or_none('element', 'asin') }} as variation_asin,
        fetch_id,

        -- attributes
        case
            when {{ json_is('element', 'array', 'attributes') }}
                then {{ json_as_text(json_value('element', 'attributes')) }}
        end as attributes_json,
        {{ text_or_none('element', 'image') }} as image,

        -- timestamps
        fetched_at
    from elements

)

select * from final
