{{ config(meta={'series_groups': ['buy_box']}) }}

-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

pieces as (

    {{ pieces_of_days(
        ref('stg_keepa_buybox'),
        series="'buyBoxSellerIdHistory'",
        keys=['domain_id', 'asin'],
        values=['seller_id'],
    ) }}

),

days as (

    select
        domain_id,
        asin,
        day_number,
        seller_id,
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

        -- numerics
        cast(minutes_held as integer) as minutes_held,
        {{ share_of_day('minutes_held') }} as share_pct,

        -- booleans
        last_holder_count = 1 as is_last_holder
    from days

)

select * from final
