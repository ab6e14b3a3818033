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

containers as (

    select
        fetches.fetch_id,
        {{ json_value('raw_rows.payload', 'offers') }} as offers,
        {{ json_value('raw_rows.payload', 'liveOffersOrder') }} as live
    from fetches
    inner join raw_rows
        on
            fetches.source_file = raw_rows.source_file
            and fetches.file_row_number = raw_rows.file_row_number

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

attributes as (

    {{ json_fields(
        'offers',
        ['fetch_id', 'slot', 'is_live'],
        [
            'sellerId',
            'condition',
            'lastSeen',
            'minOrderQty',
            'isPrime',
            'isFBA',
            'isMAP',
            'isShippable',
            'isPreorder',
            'isPrimeExcl',
            'shipsFromChina',
            'isAmazon',
            'isWarehouseDeal',
        ],
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
        {{ text_as_integer(json_text('attributes.payload', 'condition')) }} as condition_id,
        fetches.content_hash,

        -- numerics
        {{ text_as_integer(json_text('attributes.payload', 'minOrderQty')) }} as min_order_quantity,
        {{ text_as_integer(json_text('attributes.payload', 'lastSeen')) }} as last_seen_minute,

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

)

select * from final
