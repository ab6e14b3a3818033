-- Points in payloads = points in STG + quarantined + superseded, for each series of each fetch.
-- Superseded are points of a minute for which a newer fetch is in force, or that comes again later in the
-- same series. If red: points are lost, kept although withdrawn, or refused without a trace.
{{ config(meta={'dagster': {'ref': {'name': 'stg_keepa_point'}}}) }}

with

series as (

    select
        *,
        min(first_minute) over (
            partition by domain_id, asin, series
            order by fetched_at desc, content_hash desc
            rows between unbounded preceding and 1 preceding
        ) as superseded_from_minute
    from {{ ref('stg_keepa_series') }}
    where refusal_reason is null

),

kept as (

    select
        slices.fetch_id,
        slices.series,
        count(*) as kept_count,
        min(points.minute) as first_kept_minute,
        max(points.minute) as last_kept_minute
    from {{ ref('stg_keepa_point') }} as points
    -- A point without a slice is of no fetch.
    left join {{ ref('stg_keepa_slice') }} as slices
        on
            points.domain_id = slices.domain_id
            and points.asin = slices.asin
            and points.series = slices.series
            and points.slice_minute = slices.first_minute
    group by slices.fetch_id, slices.series

),

quarantined as (

    select
        fetches.fetch_id,
        refusals.series,
        count(*) as quarantined_count
    from {{ ref('stg_keepa_quarantine') }} as refusals
    inner join {{ ref('stg_keepa_fetch') }} as fetches
        on
            refusals.source_file = fetches.source_file
            and refusals.file_row_number = fetches.file_row_number
    where refusals.scope = 'point' and refusals.position is not null
    group by fetches.fetch_id, refusals.series

),

balance as (

    select
        series.fetch_id,
        series.domain_id,
        series.asin,
        series.series,
        series.point_count,
        series.good_count - series.repeated_count as distinct_count,
        series.repeated_count,
        series.first_minute,
        series.superseded_from_minute,
        kept.first_kept_minute,
        kept.last_kept_minute,
        coalesce(kept.kept_count, 0) as kept_count,
        coalesce(quarantined.quarantined_count, 0) as quarantined_count
    from series
    full outer join kept on series.fetch_id = kept.fetch_id and series.series = kept.series
    left join quarantined
        on series.fetch_id = quarantined.fetch_id and series.series = quarantined.series

)

select *
from balance
where
    -- Points of no series: left over.
    point_count is null
    or point_count <> distinct_count + repeated_count + quarantined_count
    -- No newer fetch has the series: every point counts.
    or (superseded_from_minute is null and kept_count <> distinct_count)
    -- A newer fetch is in force from its first minute on, and this one before that:
    -- partly_superseded_points_are_counted counts how many of its points.
    or (first_minute < superseded_from_minute and kept_count not between 1 and distinct_count)
    or (first_minute >= superseded_from_minute and kept_count <> 0)
    or first_kept_minute <> first_minute
    or last_kept_minute >= superseded_from_minute
