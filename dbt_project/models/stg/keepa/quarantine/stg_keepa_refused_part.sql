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

-- Of the fetches that are new here, those in which the models that read them refused something.
{% set refusing %}
    select unread.*
    from ({{ fetches_not_yet_built() }}) as unread
    where unread.fetch_id in (
        select series.fetch_id
        from {{ ref('stg_keepa_series') }} as series
        where series.refused_count > 0 or series.refusal_reason is not null
        union all
        select products.fetch_id
        from {{ ref('stg_keepa_product') }} as products
        where products.refused_attribute_count > 0
        union all
        select offers.fetch_id
        from {{ ref('stg_keepa_offer') }} as offers
        where offers.refused_attribute_count > 0
    )
{% endset %}
{% set are_held = payloads_are_held(refusing) %}

with

fetches as (

    {{ refusing }}

),

series_with_refusals as (

    select
        fetch_id,
        series
    from {{ ref('stg_keepa_series') }}
    where refused_count > 0 and fetch_id in (select fetches.fetch_id from fetches)

),

payloads as (

    {{ payloads_of('fetches', 'histories', are_held) }}

),

attributes as (

    {{ payloads_of('fetches', 'attributes', are_held) }}

),

histories as (

    {{ named_histories('payloads') }}

),

readable as (

    select
        histories.fetch_id,
        histories.series,
        histories.series_group,
        histories.stride,
        histories.series_json
    from histories
    inner join series_with_refusals
        on
            histories.fetch_id = series_with_refusals.fetch_id
            and histories.series = series_with_refusals.series
    where histories.refusal_reason is null

),

numbered as {{ computed_once() }} (

    {{ numbers_of_series('readable', with_text=true) }}

),

points as (

    {{ points_of_series('numbered', with_text=true) }}

),

judged as (

    select
        fetch_id,
        series,
        position,
        point_text as raw_text,
        {{ point_refusal() }} as reason
    from points

),

refused_points as (

    select
        fetch_id,
        series,
        position,
        reason,
        raw_text
    from judged
    where reason is not null
    union all
    select
        fetch_id,
        series,
        null as position,
        refusal_reason as reason,
        {{ json_as_text('series_json') }} as raw_text
    from histories
    where refusal_reason is not null

),

containers as (

    select
        fetch_id,
        {{ json_value('payload', 'offers') }} as offers,
        {{ json_null() }} as live
    from payloads

),

all_offers as (

    select
        fetch_id,
        slot,
        offer as payload
    from ({{ offers_of_payloads('containers') }}) as offers_of_products
    -- One without an id of its own is refused whole, as a series.
    where {{ is_id('slot') }}

),

offers as (

    {{ json_parts(
        'all_offers',
        ['fetch_id', 'slot'],
        {'payload': attribute_fields(offer_attributes())},
    ) }}

),

refused_attributes as (

    select
        fetch_id,
        attribute,
        reason,
        raw_text
    from (
        {{ refused_attributes('attributes', ['fetch_id'], product_attributes()) }}
    ) as of_products
    union all
    select
        fetch_id,
        'offers:' || slot || '.' || attribute as attribute,
        reason,
        raw_text
    from (
        {{ refused_attributes('offers', ['fetch_id', 'slot'], offer_attributes()) }}
    ) as of_offers

),

final as (

    select
        -- ids
        fetch_id,
        'point' as scope,
        series,
        cast(position as bigint) as position,

        -- attributes
        reason,
        raw_text
    from refused_points
    union all
    select
        -- ids
        fetch_id,
        'attribute' as scope,
        attribute as series,
        cast(null as bigint) as position,

        -- attributes
        reason,
        raw_text
    from refused_attributes

)

select * from final
