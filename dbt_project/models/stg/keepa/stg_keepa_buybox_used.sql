{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group = 'buy_box_used'

),

final as (

    select
        -- ids
        domain_id,
        asin,
        text_value as seller_id,
        case when value >= 0 then value end as condition_id,
        history_version,

        -- attributes
        {{ point_state('value') }} as state,

        -- booleans
        case when value >= 0 then second_value = 1 end as is_fba,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
