{{ after_the_checks_of_stg() }}

with

tree as (

    select
        *,
        lag(category_id) over (
            partition by domain_id, asin
            order by position
        ) as parent_category_id
    from {{ ref('stg_keepa_category_tree') }}

),

newest as (

    select *
    from tree
    where category_id is not null
    -- A node can be seen under two parents or names: the newest fetch counts, of one product.
    qualify
        row_number() over (
            partition by domain_id, category_id
            order by fetched_at desc, asin asc, position asc
        ) = 1

),

final as (

    select
        -- ids
        domain_id,
        category_id,
        parent_category_id,

        -- attributes
        category_name,

        -- numerics
        cast(position as integer) as depth
    from newest

)

select * from final
