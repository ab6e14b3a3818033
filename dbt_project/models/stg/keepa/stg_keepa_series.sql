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
        raw_rows.payload
    from fetches
    inner join raw_rows
        on
            fetches.source_file = raw_rows.source_file
            and fetches.file_row_number = raw_rows.file_row_number

),

histories as (

    {{ named_histories('payloads') }}

),

readable as (

    select
        fetch_id,
        series,
        series_group,
        stride,
        series_json
    from histories
    where refusal_reason is null

),

points as (

    {{ points_of_series('readable') }}

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
        sum(case when is_good and may_repeat then 1 else 0 end)
        - count(distinct case when is_good and may_repeat then minute end) as repeated_count,
        min(case when is_good then minute end) as first_minute,
        max(case when is_good then minute end) as last_minute
    from judged
    group by fetch_id, series

),

final as (

    select
        -- ids
        fetches.fetch_id,
        fetches.domain_id,
        fetches.asin,
        histories.series,
        histories.series_group,
        fetches.content_hash,

        -- attributes
        histories.slot,
        histories.stride,
        histories.refusal_reason,

        -- numerics
        coalesce(counted.point_count, 0) as point_count,
        coalesce(counted.good_count, 0) as good_count,
        coalesce(counted.point_count - counted.good_count, 0) as refused_count,
        coalesce(counted.repeated_count, 0) as repeated_count,
        counted.first_minute,
        counted.last_minute,

        -- timestamps
        fetches.fetched_at
    from histories
    inner join fetches on histories.fetch_id = fetches.fetch_id
    left join counted
        on histories.fetch_id = counted.fetch_id and histories.series = counted.series

)

select * from final
