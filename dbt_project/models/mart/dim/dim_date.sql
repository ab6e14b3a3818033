with

-- From the first day of Keepa's clock to the newest day described; at least that first day.
span as (

    select coalesce(max({{ day_of_date('last_as_of_date') }}), 0) as last_day
    from {{ ref('core_keepa_product') }}

),

days as (

    {{ with_each_integer('span', ['last_day'], '0', 'last_day', 'day_number') }}

),

dates as (

    select {{ date_of_day('day_number') }} as date
    from days

),

final as (

    select
        -- ids
        date,

        -- numerics
        cast(extract(year from date) as integer) as year,
        cast(extract(quarter from date) as integer) as quarter,
        cast(extract(month from date) as integer) as month,
        cast(extract(day from date) as integer) as day_of_month
    from dates

)

select * from final
