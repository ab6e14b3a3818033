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

histories as (

    select
        named.*,
        fetches.domain_id,
        fetches.asin,
        fetches.content_hash,
        fetches.fetched_at,
        md5({{ json_as_text('named.series_json') }}) as text_hash
    from (
        {{ named_histories('payloads') }}
    ) as named
    inner join fetches on named.fetch_id = fetches.fetch_id

),

-- Most series of a fetch are those of the night before, to the letter. What was counted once is not
-- read again.
known as (

    {% if is_incremental() -%}
    select
        counted_before.domain_id,
        counted_before.asin,
        counted_before.series,
        counted_before.text_hash,
        max(counted_before.point_count) as point_count,
        max(counted_before.good_count) as good_count,
        max(counted_before.repeated_count) as repeated_count,
        max(counted_before.first_minute) as first_minute,
        max(counted_before.last_minute) as last_minute
    from {{ this }} as counted_before
    where
        counted_before.refusal_reason is null
        and counted_before.asin in (select fetches.asin from fetches)
    group by
        counted_before.domain_id,
        counted_before.asin,
        counted_before.series,
        counted_before.text_hash
    {%- else -%}
    select
        domain_id,
        asin,
        series,
        text_hash,
        cast(null as bigint) as point_count,
        cast(null as bigint) as good_count,
        cast(null as bigint) as repeated_count,
        cast(null as bigint) as first_minute,
        cast(null as bigint) as last_minute
    from histories
    where false
    {%- endif %}

),

-- Of one text that came in several fetches, one is read. Chosen by ids alone: the texts are large.
chosen as (

    select
        min(histories.fetch_id) as fetch_id,
        histories.series
    from histories
    left join known
        on
            histories.domain_id = known.domain_id
            and histories.asin = known.asin
            and histories.series = known.series
            and histories.text_hash = known.text_hash
    where histories.refusal_reason is null and known.asin is null
    group by
        histories.domain_id,
        histories.asin,
        histories.series,
        histories.text_hash

),

readable as (

    select
        histories.fetch_id,
        histories.series,
        histories.series_group,
        histories.stride,
        histories.series_json
    from histories
    inner join chosen
        on histories.fetch_id = chosen.fetch_id and histories.series = chosen.series

),

numbered as {{ computed_once() }} (

    {{ numbers_of_series('readable') }}

),

points as (

    {{ points_of_series('numbered') }}

),

judged as (

    select
        fetch_id,
        series,
        minute,
        may_repeat,
        {{ point_refusal() }} is null as is_good
    from points

),

counted as (

    select
        fetch_id,
        series,
        count(*) as point_count,
        sum(case when is_good then 1 else 0 end) as good_count,
        min(case when is_good then minute end) as first_minute,
        max(case when is_good then minute end) as last_minute
    from judged
    group by fetch_id, series

),

-- By itself, because nearly every series can be left out before its points are made.
repeated as (

    select
        fetch_id,
        series,
        sum(times - 1) as repeated_count
    from (
        select
            fetch_id,
            series,
            minute,
            count(minute) as times
        from judged
        where may_repeat and is_good
        group by fetch_id, series, minute
    ) as minutes
    group by fetch_id, series

),

counts as (

    select
        histories.domain_id,
        histories.asin,
        histories.series,
        histories.text_hash,
        counted.point_count,
        counted.good_count,
        coalesce(repeated.repeated_count, 0) as repeated_count,
        counted.first_minute,
        counted.last_minute
    from counted
    inner join histories
        on counted.fetch_id = histories.fetch_id and counted.series = histories.series
    left join repeated
        on counted.fetch_id = repeated.fetch_id and counted.series = repeated.series
    union all
    select * from known

),

final as (

    select
        -- ids
        histories.fetch_id,
        histories.domain_id,
        histories.asin,
        histories.series,
        histories.series_group,
        histories.content_hash,
        histories.text_hash,

        -- attributes
        histories.slot,
        histories.stride,
        histories.refusal_reason,

        -- numerics
        coalesce(counts.point_count, 0) as point_count,
        coalesce(counts.good_count, 0) as good_count,
        coalesce(counts.point_count - counts.good_count, 0) as refused_count,
        coalesce(counts.repeated_count, 0) as repeated_count,
        counts.first_minute,
        counts.last_minute,

        -- timestamps
        histories.fetched_at
    from histories
    left join counts
        on
            histories.domain_id = counts.domain_id
            and histories.asin = counts.asin
            and histories.series = counts.series
            and histories.text_hash = counts.text_hash
            and histories.refusal_reason is null

)

select * from final
