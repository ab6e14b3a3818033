with

points as (

    {{ points_with_fetches(['offer_count']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series as count_channel,

        -- numerics
        case when value >= 0 then value end as offer_count,

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
