{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        pre_hook="{{ find_changed_slices() }}",
        post_hook=["{{ remember(slices_known()) }}", "{{ remember_counted_loads() }}"],
        meta={'outdates': ['outdated.series = changes.series']},
    )
}}

-- depends_on: {{ ref('stg_keepa_fetch') }}
with

changed as (

    select
        domain_id,
        asin,
        series
    from {{ changed_slices() }}

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
        domain_id,
        asin,
        series,
        max(series_group) as series_group,
        {{ digest_of_points('true') }} as points_digest,

        -- numerics
        count(*) as point_count,
        count(unknown_from_minute) as unknown_count,
        min(minute) as first_minute,
        max(minute) as last_minute
    from points
    group by domain_id, asin, series

)

select * from final
