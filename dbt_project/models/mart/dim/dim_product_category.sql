with

product_categories as (

    select * from {{ ref('core_keepa_product_category') }}

)

select * from product_categories
