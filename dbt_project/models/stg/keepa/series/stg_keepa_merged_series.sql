{{
    config(
        materialized='incremental_by_segment',
        post_hook="{{ save_counted_loads() }}",
        meta={
            'segment': 'series',
            'input': 'stg_keepa_slice',
        },
    )
}}

-- depends_on: {{ ref('stg_keepa_fetch') }}
with

changed as (

    select
        domain_id,
        asin,
        series
    from {{ outdated_series() }} as outdated

),

points as (

    select points.*
    from {{ ref('stg_keepa_point') }} as points
    inner join changed
        on
            points.domain_id = changed.domain_id
            and points.asin = changed.asin
            and points.series = changed.series

),

final as (

    select
        -- ids
        points.domain_id,
        points.asin,
        points.series,
        max(points.series_group) as series_group,
        {{ digest_of_points('true') }} as points_digest,

        -- numerics
        count(*) as point_count,
        count(points.unknown_from_minute) as unknown_count,
        min(points.minute) as first_minute,
        max(points.minute) as last_minute
    from points
    group by points.domain_id, points.asin, points.series

)

select * from final
