with

sellers as (

    select * from {{ ref('core_keepa_seller') }}

)

select * from sellers
