{{ config(materialized='view') }}

with

points as (

    select * from {{ ref('stg_keepa_point') }}
    where series_group = 'price'

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
        points.series as price_channel,
        points.history_version,

        -- numerics
        case
            when points.value >= 0
                then cast(points.value / marketplaces.minor_per_unit as decimal(18, 2))
        end as price,
        case
            when points.second_value >= 0
                then cast(points.second_value / marketplaces.minor_per_unit as decimal(18, 2))
        end as shipping,
        -- Unsaid shipping counts as free, as in Keepa's own figures.
        case
            when points.value >= 0
                then
                    cast(
                        (points.value + greatest(coalesce(points.second_value, 0), 0))
                        / marketplaces.minor_per_unit as decimal(18, 2)
                    )
        end as landed_price,

        -- attributes
        {{ point_state('points.value') }} as state,
        marketplaces.currency_code,

        -- timestamps
        points.minute,
        {{ instant_of_minute('points.minute') }} as changed_at,
        points.fetched_at
    from points
    inner join marketplaces on points.domain_id = marketplaces.domain_id

)

select * from final
