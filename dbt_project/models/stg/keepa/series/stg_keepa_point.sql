{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'series',
            'input': 'stg_keepa_slice',
            'minute': 'minute',
        },
    )
}}

with

slices as (

    {{ slices_to_read(outdated_series()) }}

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
        payloads_are_held(slices_to_read(outdated_series(now=true))),
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
        slices.repeated_count,
        slices.refused_count
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
            'refused_count',
        ],
    ) }}

),

judged as (

    select
        *,
        {{ point_refusal() }} is null as is_good
    from points

),

-- Nothing promises that a minute stands once in a series, nor that every point can be read. To sort
-- for that costs more than all else, and few series need it.
in_doubt as (

    select
        *,
        -- A point whose minute cannot be read came some time after the one before it.
        case
            when minute between 0 and {{ keepa_largest_integer() }} then minute
            else
                1 + max(case when is_good then minute end) over (
                    partition by fetch_id, series
                    order by position
                    rows between unbounded preceding and 1 preceding
                )
        end as since_minute
    from judged
    where repeated_count > 0 or refused_count > 0

),

followed as (

    select
        *,
        lead(since_minute) over (
            partition by fetch_id, series
            order by since_minute, position
        ) as next_minute,
        lead(is_good) over (
            partition by fetch_id, series
            order by since_minute, position
        ) as is_next_good
    from in_doubt
    where since_minute is not null

),

counting as (

    select
        domain_id,
        asin,
        series,
        series_group,
        minute,
        first_minute,
        from_minute,
        until_minute,
        value,
        second_value,
        text_value,
        cast(null as bigint) as unknown_from_minute
    from judged
    where repeated_count = 0 and refused_count = 0 and is_good
    union all
    select
        domain_id,
        asin,
        series,
        series_group,
        minute,
        first_minute,
        from_minute,
        until_minute,
        value,
        second_value,
        text_value,
        case when not is_next_good then next_minute end as unknown_from_minute
    from followed
    where is_good
    -- Of good points of one minute, what was written later counts.
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
        cast(unknown_from_minute as integer) as unknown_from_minute,

        -- attributes
        text_value
    from counting
    where minute >= from_minute and minute < until_minute

)

select * from final
