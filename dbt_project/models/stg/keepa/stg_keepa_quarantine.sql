{% set refusing %}
        select fetch_id
        from {{ ref('stg_keepa_series') }}
        where refused_count > 0 or refusal_reason is not null
        union all
        select fetch_id
        from {{ ref('stg_keepa_product') }}
        where refused_attribute_count > 0
        union all
        select fetch_id
        from {{ ref('stg_keepa_offer') }}
        where refused_attribute_count > 0
    {% endset %}

with

records as (

    select * from {{ ref('stg_keepa_record') }}
    where refusal_reason is not null

),

series_with_refusals as (

    select * from {{ ref('stg_keepa_series') }}
    where refused_count > 0 or refusal_reason is not null

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where not is_repeat and fetch_id in ({{ refusing }})

),

refused_records as (

    select
        source_file,
        file_row_number,
        as_of_date,
        refusal_reason as reason,
        'record' as scope,
        cast(null as varchar) as series,
        cast(null as bigint) as position,
        refused_text as raw_text
    from records

),

payloads as (

    {{ payloads_of('fetches', 'histories', payloads_are_held(refusing)) }}

),

attributes as (

    {{ payloads_of('fetches', 'attributes', payloads_are_held(refusing)) }}

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
        null as live
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

refused_parts as (

    select
        fetch_id,
        series,
        position,
        reason,
        raw_text,
        'point' as scope
    from refused_points
    union all
    select
        fetch_id,
        attribute as series,
        null as position,
        reason,
        raw_text,
        'attribute' as scope
    from refused_attributes

),

final as (

    select * from refused_records
    union all
    select
        fetches.source_file,
        fetches.file_row_number,
        fetches.as_of_date,
        refused_parts.reason,
        refused_parts.scope,
        refused_parts.series,
        refused_parts.position,
        refused_parts.raw_text
    from refused_parts
    inner join fetches on refused_parts.fetch_id = fetches.fetch_id

)

select * from final
