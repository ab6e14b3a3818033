with

points as (

    {{ points_with_fetches(['rank', 'category_rank']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series,
        case when series_group = 'category_rank' then slot_id end as category_id,

        -- numerics
        case when value >= 0 then value end as sales_rank,

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
