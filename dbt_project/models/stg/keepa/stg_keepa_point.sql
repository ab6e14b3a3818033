{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={
            'built_from': ['domain_id', 'asin', 'history_version'],
            'current': 'stg_keepa_history',
        },
    )
}}

with

products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

series_of_fetches as (

    select
        series.*,
        products.history_version,
        -- The merge rule: where a newer fetch has the series, it speaks from its own first minute
        -- on; before that minute the older fetch still does. One without the series says nothing.
        min(series.first_minute) over (
            partition by series.domain_id, series.asin, series.series
            order by series.fetched_at desc, series.content_hash desc
            rows between unbounded preceding and 1 preceding
        ) as superseded_from_minute
    from {{ ref('stg_keepa_series') }} as series
    inner join products
        on series.domain_id = products.domain_id and series.asin = products.asin
    where series.good_count > 0

),

contributing as (

    select *
    from series_of_fetches
    where superseded_from_minute is null or first_minute < superseded_from_minute

),

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where
        not is_repeat
        and fetch_id in (select contributing.fetch_id from contributing)

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
        histories.fetch_id,
        histories.series,
        histories.series_group,
        histories.stride,
        histories.series_json
    from histories
    inner join contributing
        on
            histories.fetch_id = contributing.fetch_id
            and histories.series = contributing.series
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

merged as (

    select
        contributing.domain_id,
        contributing.asin,
        contributing.history_version,
        contributing.series,
        contributing.series_group,
        contributing.slot,
        contributing.fetch_id,
        contributing.fetched_at,
        good.minute,
        good.value,
        good.second_value,
        good.text_value
    from good
    inner join contributing
        on good.fetch_id = contributing.fetch_id and good.series = contributing.series
    where
        contributing.superseded_from_minute is null
        or good.minute < contributing.superseded_from_minute

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series,
        series_group,
        slot,
        cast(minute as integer) as minute,
        fetch_id,
        history_version,

        -- numerics
        cast(value as integer) as value,
        cast(second_value as integer) as second_value,

        -- attributes
        text_value,

        -- timestamps
        fetched_at
    from merged

)

select * from final
