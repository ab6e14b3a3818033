-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

tree as (

    select * from {{ ref('stg_keepa_category_tree') }}
    where category_id is not null

),

final as (

    select
        -- ids
        domain_id,
        asin,
        category_id,

        -- numerics
        cast(min(position) as integer) as depth,

        -- booleans
        max(position) = max(max(position)) over (partition by domain_id, asin) as is_leaf
    from tree
    group by domain_id, asin, category_id

)

select * from final
