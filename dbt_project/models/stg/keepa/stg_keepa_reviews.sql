{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group in ('rating', 'review_count')

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series_group as measure,
        history_version,

        -- numerics
        case
            when value < 0 then null
            when series_group = 'rating' then cast(value * 0.1 as decimal(18, 1))
            else cast(value as decimal(18, 1))
        end as value,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
