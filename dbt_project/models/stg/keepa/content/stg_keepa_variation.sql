{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_newest_content',
            'input_where': "in_force.content = 'variations'",
            'has_empty_keys': True,
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
