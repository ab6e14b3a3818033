{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group = 'monthly_sold'

),

final as (

    select
        -- ids
        domain_id,
        asin,
        history_version,

        -- numerics
        case when value >= 0 then value end as monthly_sold,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
