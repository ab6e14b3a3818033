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
        slices.domain_id,
        slices.asin,
        slices.series,
        slices.series_group,
        histories.stride,
        histories.series_json,
        slices.first_minute,
        slices.from_minute,
        slices.until_minute,
        slices.repeated_count
    from histories
    inner join slices
        on
            histories.fetch_id = slices.fetch_id
            and histories.series = slices.series
    where histories.refusal_reason is null

),

numbered as {{ computed_once() }} (

    {{ numbers_of_series('readable') }}

),

points as (

    {{ points_of_series(
        'numbered',
        columns=[
            'domain_id',
            'asin',
            'first_minute',
            'from_minute',
            'until_minute',
            'repeated_count',
        ],
    ) }}

),

good as (

    select * from points
    where {{ point_refusal() }} is null

),

-- Nothing promises that a minute stands once in a series: what was written later counts. To sort
-- for that costs more than all else, and few series have it.
counting as (

    select * from good
    where repeated_count = 0
    union all
    select * from good
    where repeated_count > 0
    qualify
        row_number() over (
            partition by fetch_id, series, minute
            order by position desc
        ) = 1

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series,
        series_group,
        cast(minute as integer) as minute,
        first_minute as slice_minute,

        -- numerics
        cast(value as integer) as value,
        cast(second_value as integer) as second_value,

        -- attributes
        text_value
    from counting
    where minute >= from_minute and minute < until_minute

)

select * from final
