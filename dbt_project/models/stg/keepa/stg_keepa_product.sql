{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={'built_from': ['fetch_id'], 'current': 'stg_keepa_fetch'},
    )
}}

with

fetches as (

    select fetched.*
    from {{ ref('stg_keepa_fetch') }} as fetched
    where not fetched.is_repeat and {{ not_yet_built('fetched') }}

),

-- Only of the files concerned, so that the payloads of all others stay unread.
raw_rows as (

    select *
    from {{ source('keepa', 'keepa_raw') }}
    where source_file in (select fetches.source_file from fetches)

),

payloads as (

    select
        fetches.fetch_id,
        fetches.domain_id,
        fetches.asin,
        fetches.content_hash,
        fetches.product_type,
        fetches.is_usable,
        fetches.fetched_at,
        raw_rows.payload
    from fetches
    inner join raw_rows
        on
            fetches.source_file = raw_rows.source_file
            and fetches.file_row_number = raw_rows.file_row_number

),

attributes as (

    {{ json_fields(
        'payloads',
        [
            'fetch_id',
            'domain_id',
            'asin',
            'content_hash',
            'product_type',
            'is_usable',
            'fetched_at',
        ],
        attribute_fields(),
    ) }}

),

parsed as (

    select
        fetch_id,
        domain_id,
        asin,
        content_hash,
        product_type,
        is_usable,
        fetched_at,
        {{ text_or_none('payload', 'title') }} as title,
        {{ text_or_none('payload', 'brand') }} as brand,
        {{ text_or_none('payload', 'manufacturer') }} as manufacturer,
        {{ text_or_none('payload', 'model') }} as model,
        {{ text_or_none('payload', 'partNumber') }} as part_number,
        {{ text_or_none('payload', 'color') }} as color,
        {{ text_or_none('payload', 'size') }} as size,
        {{ text_or_none('payload', 'binding') }} as binding,
        {{ text_or_none('payload', 'productGroup') }} as product_group,
        {{ text_or_none('payload', 'parentAsin') }} as parent_asin,
        {{ text_or_none('payload', 'categoryTree[0].name') }} as root_category_name,
        nullif({{ text_as_integer(json_text('payload', 'rootCategory')) }}, 0) as root_category_id,
        {{ text_as_integer(json_text('payload', 'availabilityAmazon')) }} as availability_amazon,
        {{ json_is('payload', 'array', 'categoryTree') }} as has_category_tree,
        {{ json_is('payload', 'array', 'variations') }} as has_variations,
        {{ json_is('payload', 'array', 'videos') }} as has_videos,
        {{ json_is('payload', 'array', 'aPlus') }} as has_aplus,
        {{ refused_attribute_count('payload') }} as refused_attribute_count,
        {{ text_as_integer(json_text('payload', 'trackingSince')) }} as tracking_since_minute,
        {{ text_as_integer(json_text('payload', 'listedSince')) }} as listed_since_minute,
        {{ text_as_integer(json_text('payload', 'lastUpdate')) }} as last_update_minute
    from attributes

),

final as (

    select
        -- ids
        fetch_id,
        domain_id,
        asin,
        content_hash,
        parent_asin,
        root_category_id,

        -- attributes
        product_type,
        title,
        brand,
        manufacturer,
        model,
        part_number,
        color,
        size,
        binding,
        product_group,
        root_category_name,
        availability_amazon,

        -- numerics
        cast(refused_attribute_count as integer) as refused_attribute_count,

        -- booleans
        is_usable,
        has_category_tree,
        has_variations,
        has_videos,
        has_aplus,

        -- timestamps
        {{ instant_or_none('tracking_since_minute') }} as tracking_since_at,
        {{ instant_or_none('listed_since_minute') }} as listed_since_at,
        {{ instant_or_none('last_update_minute') }} as last_update_at,
        fetched_at
    from parsed

)

select * from final
