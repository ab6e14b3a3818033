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

{{ content_elements('has_variations', 'variations') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        {{ text_or_none('element', 'asin') }} as variation_asin,
        history_version,

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
