{{
    config(
        materialized='incremental',
        incremental_strategy='replace_outdated',
        meta={
            'built_from': ['domain_id', 'asin', 'history_version'],
            'current': 'stg_keepa_history',
        },
    )
}}

-- The checks that nothing is lost on the way through STG need the quarantine. Naming it here makes
-- dbt run them before this model, so that a red one stops the build.
-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

products as (

    select *
    from {{ ref('stg_keepa_history') }} as history
    where {{ not_yet_built('history') }}

),

points as (

    select
        changes.domain_id,
        changes.asin,
        changes.seller_id,
        changes.minute,
        products.history_version,
        {{ horizon_minute('products.last_as_of_date') }} as horizon_minute
    from {{ ref('stg_keepa_buybox') }} as changes
    inner join products
        on changes.domain_id = products.domain_id and changes.asin = products.asin

),

pieces as (

    {{ pieces_of_days('points', ['domain_id', 'asin'], ['seller_id', 'history_version']) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
        seller_id,
        max(history_version) as history_version,
        sum(minutes) as minutes_held,
        max(case when is_closing then 1 else 0 end) as last_holder_count
    from pieces
    -- Nobody, and a seller whom Keepa cannot name, hold no share.
    where seller_id is not null
    group by domain_id, asin, day_number, seller_id

),

final as (

    select
        -- ids
        domain_id,
        asin,
        {{ date_of_day('day_number') }} as date,
        seller_id,
        history_version,

        -- numerics
        cast(minutes_held as integer) as minutes_held,
        {{ share_of_day('minutes_held') }} as share_pct,

        -- booleans
        last_holder_count = 1 as is_last_holder
    from days

)

select * from final
