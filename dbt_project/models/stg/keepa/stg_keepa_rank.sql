{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group in ('rank', 'category_rank')

),

final as (

    select
        -- ids
        domain_id,
        asin,
        case
            when series_group = 'category_rank' then {{ text_as_integer('slot') }}
        end as category_id,
        history_version,

        -- numerics
        case when value >= 0 then value end as sales_rank,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
