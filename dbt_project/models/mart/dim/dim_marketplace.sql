with

marketplaces as (

    select * from {{ ref('keepa_marketplaces') }}

),

final as (

    select
        -- ids
        cast(domain_id as integer) as domain_id,

        -- attributes
        marketplace_code,
        currency_code
    from marketplaces

)

select * from final
