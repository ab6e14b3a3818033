with

points as (

    {{ points_with_fetches(['offer_stock']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        slot_id as offer_id,

        -- numerics
        case when value >= 0 then value end as stock,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
