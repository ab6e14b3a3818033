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

{{ content_elements('has_videos', 'videos') }},

final as (

    select
        -- ids
        domain_id,
        asin,
        position,
        history_version,

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
