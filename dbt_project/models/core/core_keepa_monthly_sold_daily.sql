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
        changes.monthly_sold,
        changes.state,
        changes.minute,
        products.history_version,
        {{ horizon_minute('products.last_as_of_date') }} as horizon_minute
    from {{ ref('stg_keepa_monthly_sold') }} as changes
    inner join products
        on changes.domain_id = products.domain_id and changes.asin = products.asin

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin'],
        ['monthly_sold', 'state', 'history_version'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
        max(history_version) as history_version,
        max(monthly_sold) as monthly_sold_close,
        max(state) as close_state
    from pieces
    where is_closing
    group by domain_id, asin, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        {{ date_of_day('day_number') }} as date,
        history_version,

        -- attributes
        close_state,

        -- numerics
        cast(monthly_sold_close as integer) as monthly_sold_close
    from days

)

select * from final
