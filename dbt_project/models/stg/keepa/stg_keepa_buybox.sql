{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group = 'buy_box'

),

final as (

    select
        -- ids
        domain_id,
        asin,
        text_value as seller_id,
        history_version,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
