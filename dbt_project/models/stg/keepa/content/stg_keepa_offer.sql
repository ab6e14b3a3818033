{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['fetch_id'],
            'input': 'stg_keepa_fetch',
            'has_empty_keys': True,
        },
    )
}}

with

fetches as (

    {{ fetches_not_yet_built() }}

),

payloads as (

    {{ payloads_of('fetches', 'histories', payloads_are_held(fetches_not_yet_built())) }}

),

containers as (

    select
        fetch_id,
        {{ json_value('payload', 'offers') }} as offers,
        {{ json_value('payload', 'liveOffersOrder') }} as live
    from payloads

),

offers as (

    select
        fetch_id,
        slot,
        is_live,
        offer as payload
    from ({{ offers_of_payloads('containers') }}) as all_offers
    -- Others stand in quarantine.
    where {{ is_id('slot') }}

),

attributes as {{ computed_once() }} (

    {{ json_parts(
        'offers',
        ['fetch_id', 'slot', 'is_live'],
        {'payload': attribute_fields(offer_attributes())},
    ) }}

),

refusals as (

    {{ refusals_by_field(
        refused_attributes('attributes', ['fetch_id', 'slot'], offer_attributes()),
        ['fetch_id', 'slot'],
    ) }}

),

final as (

    select
        -- ids
        attributes.fetch_id,
        fetches.domain_id,
        fetches.asin,
        {{ text_as_integer('attributes.slot') }} as offer_id,
        {{ text_or_none('attributes.payload', 'sellerId') }} as seller_id,
        {{ integer_or_none('attributes.payload', 'condition') }} as condition_id,
        fetches.content_hash,

        -- attributes
        {{ absent_members('attributes.payload', offer_attributes_always_sent()) }} as absent_fields,
        coalesce(refusals.refused_fields, '') as refused_fields,

        -- numerics
        {{ integer_or_none('attributes.payload', 'minOrderQty') }} as min_order_quantity,
        {{ minute_or_none('attributes.payload', 'lastSeen') }} as last_seen_minute,
        coalesce(refusals.refused_attribute_count, 0) as refused_attribute_count,

        -- booleans
        coalesce(attributes.is_live, false) as is_live,
        {{ json_boolean('attributes.payload', 'isPrime') }} as is_prime,
        {{ json_boolean('attributes.payload', 'isFBA') }} as is_fba,
        {{ json_boolean('attributes.payload', 'isMAP') }} as is_map,
        {{ json_boolean('attributes.payload', 'isShippable') }} as is_shippable,
        {{ json_boolean('attributes.payload', 'isPreorder') }} as is_preorder,
        {{ json_boolean('attributes.payload', 'isPrimeExcl') }} as is_prime_exclusive,
        {{ json_boolean('attributes.payload', 'shipsFromChina') }} as is_shipped_from_china,
        {{ json_boolean('attributes.payload', 'isAmazon') }} as is_amazon,
        {{ json_boolean('attributes.payload', 'isWarehouseDeal') }} as is_warehouse_deal,

        -- timestamps
        fetches.fetched_at
    from attributes
    inner join fetches on attributes.fetch_id = fetches.fetch_id
    left join refusals
        on attributes.fetch_id = refusals.fetch_id and attributes.slot = refusals.slot

)

select * from final
