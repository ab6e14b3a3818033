{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_newest_content',
            'input_where': "in_force.content = 'videos'",
            'has_empty_keys': True,
        },
    )
}}

with

{{ content_elements('videos') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        fetch_id,

        -- attributes
        {{ text_or_none('element', 'url') }} as url,
        {{ text_or_none('element', 'title') }} as title,
        {{ text_or_none('element', 'name') }} as author_name,
        {{ text_or_none('element', 'creator') }} as creator,
        {{ text_or_none('element', 'image') }} as image,

        -- numerics
        {{ integer_or_none('element', 'duration') }} as duration_seconds,

        -- timestamps
        fetched_at
    from elements

)

select * from final
