with

points as (

    {{ points_with_fetches(['rating', 'review_count']) }}

),

final as (

    select
        -- ids
        domain_id,
        asin,
        series,
        series_group as measure,

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
        unknown_from_minute,
        {{ instant_of_minute('minute') }} as changed_at,
        fetched_at
    from points

)

select * from final
