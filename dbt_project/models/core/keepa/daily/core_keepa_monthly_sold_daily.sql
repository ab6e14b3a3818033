{{ config(meta={'series_groups': ['monthly_sold']}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_monthly_sold'),
        series="'monthlySoldHistory'",
        keys=['domain_id', 'asin'],
        values=['monthly_sold', 'state'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
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

        -- attributes
        close_state,

        -- numerics
        cast(monthly_sold_close as integer) as monthly_sold_close
    from days

)

select * from final
