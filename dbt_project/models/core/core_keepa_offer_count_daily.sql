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
        changes.count_channel,
        changes.offer_count,
        changes.minute,
        products.history_version,
        {{ horizon_minute('products.last_as_of_date') }} as horizon_minute
    from {{ ref('stg_keepa_offer_count') }} as changes
    inner join products
        on changes.domain_id = products.domain_id and changes.asin = products.asin

),

pieces as (

    {{ pieces_of_days(
        'points',
        ['domain_id', 'asin', 'count_channel'],
        ['offer_count', 'history_version'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        count_channel,
        day_number,
        max(history_version) as history_version,
        max(case when is_opening then offer_count end) as count_open,
        max(case when is_closing then offer_count end) as count_close,
        min(offer_count) as count_min,
        max(offer_count) as count_max,
        {{ mean_over_minutes('offer_count') }} as count_avg,
        sum(case when is_change then 1 else 0 end) as change_count
    from pieces
    group by domain_id, asin, count_channel, day_number

),

final as (

    select
        -- ids
        domain_id,
        asin,
        count_channel,
        {{ date_of_day('day_number') }} as date,
        history_version,

        -- numerics
        count_open,
        count_close,
        count_min,
        count_max,
        count_avg,
        cast(change_count as integer) as change_count
    from days

)

select * from final
