with

categories as (

    select * from {{ ref('core_keepa_category') }}

)

select * from categories
