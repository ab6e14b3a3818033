{{ config(materialized='view') }}

with

series as (

    select * from {{ ref('stg_keepa_merged_series') }}

),

-- Of each series, the slice of the newest fetch that has it.
newest as (

    select * from {{ ref('stg_keepa_slice') }}
    where until_minute = {{ no_newer_slice() }}

),

products as (

    select * from {{ ref('stg_keepa_history') }}

),

offers as (

    select
        *,
        'offerCSV:' || offer_id as series
    from {{ ref('core_keepa_offer') }}

),

final as (

    select
        -- ids
        series.domain_id,
        series.asin,
        series.series,
        series.series_group,
        series.points_digest,

        -- numerics
        series.point_count,
        series.first_minute,
        series.last_minute,
        case
            when series.series_group = 'offer_price'
                -- A price holds as long as the offer was seen: through the minute of its last
                -- sighting, which can lie in the day after the one that its fetch stands for.
                then
                    least(
                        {{ horizon_minute('products.last_as_of_date') }},
                        greatest(coalesce(offers.last_seen_minute, 0), series.last_minute) + 1
                    )
            else {{ horizon_minute('newest.last_as_of_date') }}
        end as horizon_minute
    from series
    inner join newest
        on
            series.domain_id = newest.domain_id
            and series.asin = newest.asin
            and series.series = newest.series
    inner join products
        on series.domain_id = products.domain_id and series.asin = products.asin
    left join offers
        on
            series.domain_id = offers.domain_id
            and series.asin = offers.asin
            and series.series = offers.series

)

select * from final
