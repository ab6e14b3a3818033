with

points as (

    {{ points_with_fetches(['buy_box']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        text_value as seller_id,

        -- attributes
        {{ point_state('value') }} as state,

        -- timestamps
        minute,
        unknown_from_minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
