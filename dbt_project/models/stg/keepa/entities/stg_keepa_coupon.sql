with

points as (

    {{ points_with_fetches(['coupon']) }}

),

marketplaces as (

    select
        domain_id,
        currency_code,
        power(10, currency_exponent) as minor_per_unit
    from {{ ref('keepa_marketplaces') }}

),

final as (

    select
        -- ids
        points.domain_id,
        points.asin,

        -- numerics: Keepa writes an amount as a positive number, percent as a negative one
        case
            when points.value > 0
                then cast(points.value / marketplaces.minor_per_unit as decimal(18, 2))
        end as one_time_amount,
        case when points.value < 0 then -points.value end as one_time_pct,
        case
            when points.second_value > 0
                then cast(points.second_value / marketplaces.minor_per_unit as decimal(18, 2))
        end as subscribe_amount,
        case when points.second_value < 0 then -points.second_value end as subscribe_pct,

        -- attributes
        marketplaces.currency_code,

        -- timestamps
        points.minute,
        {{ instant_of_minute('points.minute') }} as changed_at,
        points.fetched_at
    from points
    inner join marketplaces on points.domain_id = marketplaces.domain_id

)

select * from final
