with

points as (

    {{ points_with_fetches(['price']) }}

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

        -- numerics
        {{ in_units('points.value', 'marketplaces.minor_per_unit') }} as price,
        {{ in_units('points.second_value', 'marketplaces.minor_per_unit') }} as shipping,
        {{ landed_in_units(
            'points.value', 'points.second_value', 'marketplaces.minor_per_unit'
        ) }} as landed_price,

        -- attributes
        {{ point_state('points.value') }} as state,
        marketplaces.currency_code,

        -- timestamps
        points.minute,
        points.unknown_from_minute,
        {{ instant_of_minute('points.minute') }} as changed_at,
        points.fetched_at
    from points
    inner join marketplaces on points.domain_id = marketplaces.domain_id

)

select * from final
