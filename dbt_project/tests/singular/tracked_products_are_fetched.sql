-- If it warns: Keepa answered for other tracked products and not for these, so their prices end with
-- their last day here, and the figures of the day are of fewer products. Read the sync's log in Airbyte,
-- and compare its source with the seed by `vp doctor`. A day without any tracked product (`vp run
-- --products`) is not judged.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'stg_keepa_fetch'}}}) }}

with

tracked as (

    select * from {{ ref('tracked_products') }}

),

fetches as (

    select * from {{ ref('stg_keepa_fetch') }}

),

last_days as (

    select
        tracked.domain_id,
        tracked.asin,
        max(fetches.as_of_date) as last_as_of_date
    from tracked
    left join fetches
        on tracked.domain_id = fetches.domain_id and tracked.asin = fetches.asin
    group by tracked.domain_id, tracked.asin

),

newest as (

    select max(last_as_of_date) as as_of_date
    from last_days

)

select
    last_days.domain_id,
    last_days.asin,
    last_days.last_as_of_date,
    newest.as_of_date as expected_as_of_date
from last_days
inner join newest on coalesce(last_days.last_as_of_date < newest.as_of_date, true)
where newest.as_of_date is not null
