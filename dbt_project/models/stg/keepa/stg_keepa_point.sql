{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_slices() }}",
        post_hook="{{ remember(slices_known()) }}",
        meta={
            'outdates': [
                'outdated.series = changes.series',
                'outdated.minute >= changes.from_minute',
            ],
        },
    )
}}

with

slices as (

    {{ slices_to_read(changed_slices()) }}

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select slices.fetch_id from slices)

),

payloads as (

    {{ payloads_of(
        'fetches',
        'histories',
        payloads_are_held(slices_to_read(changed_slices(by_query=true))),
    ) }}

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
    inner join slices
        on
            histories.fetch_id = slices.fetch_id
            and histories.series = slices.series
    where histories.refusal_reason is null

),

points as (

    {{ points_of_series('readable') }}

),

good as (

    select *
    from points
    where {{ point_refusal() }} is null
    -- Nothing promises that a minute stands once in a series: what was written later counts.
    qualify
        not may_repeat
        or row_number() over (
            partition by fetch_id, series, minute
            order by position desc
        ) = 1

),

final as (

    select
        -- ids
        slices.domain_id,
        slices.asin,
        slices.series,
        slices.series_group,
        slices.slot,
        cast(good.minute as integer) as minute,
        slices.first_minute as slice_minute,

        -- numerics
        cast(good.value as integer) as value,
        cast(good.second_value as integer) as second_value,

        -- attributes
        good.text_value
    from good
    inner join slices on good.fetch_id = slices.fetch_id and good.series = slices.series
    where good.minute >= slices.from_minute and good.minute < slices.until_minute

)

select * from final
