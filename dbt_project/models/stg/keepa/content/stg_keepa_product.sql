{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_fetch',
        },
    )
}}

with

fetches as (

    {{ fetches_not_yet_built() }}

),

payloads as (

    {{ payloads_of('fetches', 'attributes', payloads_are_held(fetches_not_yet_built())) }}

),

attributes as {{ computed_once() }} (

    {{ json_parts(
        'payloads',
        ['fetch_id'],
        {'payload': attribute_fields(product_attributes())},
    ) }}

),

refusals as (

    {{ refusals_by_field(
        refused_attributes('attributes', ['fetch_id'], product_attributes()),
        ['fetch_id'],
    ) }}

),

parsed as (

    select
        fetch_id,
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
        {{ id_or_none('payload', 'rootCategory') }} as root_category_id,
        {{ integer_or_none('payload', 'availabilityAmazon') }} as availability_amazon,
        {{ json_is('payload', 'array', 'categoryTree') }} as has_category_tree,
        {{ json_is('payload', 'array', 'variations') }} as has_variations,
        {{ json_is('payload', 'array', 'videos') }} as has_videos,
        {{ json_is('payload', 'array', 'aPlus') }} as has_aplus,
        {{ json_is('payload', 'array', 'liveOffersOrder') }} as has_live_offers_order,
        {{ json_boolean('payload', 'offersSuccessful') }} as is_offers_successful,
        {{ absent_members('payload', attributes_always_sent()) }} as absent_fields,
        {{ minute_or_none('payload', 'trackingSince') }} as tracking_since_minute,
        {{ minute_or_none('payload', 'listedSince') }} as listed_since_minute,
        {{ minute_or_none('payload', 'lastUpdate') }} as last_update_minute
    from attributes

),

final as (

    select
        -- ids
        fetches.fetch_id,
        fetches.domain_id,
        fetches.asin,
        fetches.content_hash,
        parsed.parent_asin,
        parsed.root_category_id,

        -- attributes
        fetches.product_type,
        parsed.title,
        parsed.brand,
        parsed.manufacturer,
        parsed.model,
        parsed.part_number,
        parsed.color,
        parsed.size,
        parsed.binding,
        parsed.product_group,
        parsed.root_category_name,
        parsed.availability_amazon,
        parsed.absent_fields,
        coalesce(refusals.refused_fields, '') as refused_fields,

        -- numerics
        cast(coalesce(refusals.refused_attribute_count, 0) as integer) as refused_attribute_count,

        -- booleans
        fetches.is_usable,
        parsed.has_category_tree,
        parsed.has_variations,
        parsed.has_videos,
        parsed.has_aplus,
        parsed.has_live_offers_order,
        parsed.is_offers_successful,

        -- timestamps
        {{ instant_of_minute('parsed.tracking_since_minute') }} as tracking_since_at,
        {{ instant_of_minute('parsed.listed_since_minute') }} as listed_since_at,
        {{ instant_of_minute('parsed.last_update_minute') }} as last_update_at,
        fetches.fetched_at
    from parsed
    inner join fetches on parsed.fetch_id = fetches.fetch_id
    left join refusals on parsed.fetch_id = refusals.fetch_id

)

select * from final
