{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        post_hook="{{ remember_keys_without_rows(ref('stg_keepa_newest_content')) }}",
        meta={
            'built_from': ['fetch_id'],
            'current': 'stg_keepa_newest_content',
            'current_where': "in_force.content = 'videos'",
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
