with

points as (

    {{ points_with_fetches(['buy_box_used']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        text_value as seller_id,
        case when value >= 0 then value end as condition_id,

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
