with

tracked as (

    select * from {{ ref('tracked_products') }}

),

products as (

    select * from {{ ref('core_keepa_product') }}

),

marketplaces as (

    select * from {{ ref('keepa_marketplaces') }}

),

-- A product that is tracked but has no answer yet, and one that is tracked no more but has history,
-- are both in the dimension.
keys as (

    select
        domain_id,
        asin
    from tracked
    union distinct
    select
        domain_id,
        asin
    from products

),

final as (

    select
        -- ids
        keys.domain_id,
        keys.asin,
        products.parent_asin,

        -- attributes
        products.title,
        products.brand,
        products.root_category_name as category_name,
        marketplaces.marketplace_code,
        marketplaces.currency_code,
        tracked.role,
        tracked.product_line,

        -- booleans
        tracked.asin is not null as is_tracked,

        -- timestamps
        products.first_seen_at,
        products.last_fetched_at
    from keys
    inner join marketplaces on keys.domain_id = marketplaces.domain_id
    left join tracked on keys.domain_id = tracked.domain_id and keys.asin = tracked.asin
    left join products on keys.domain_id = products.domain_id and keys.asin = products.asin

)

select * from final
