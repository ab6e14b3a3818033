-- depends_on: {{ ref('stg_keepa_quarantine') }}

with

days as (

    select
        fetch_id,
        max(as_of_date) as as_of_date
    from {{ ref('stg_keepa_fetch') }}
    group by fetch_id

),

tree as (

    select
        nodes.*,
        days.as_of_date,
        lag(nodes.category_id) over (
            partition by nodes.domain_id, nodes.asin
            order by nodes.position
        ) as parent_category_id
    from {{ ref('stg_keepa_category_tree') }} as nodes
    inner join days on nodes.fetch_id = days.fetch_id

),

newest as (

    select *
    from tree
    where category_id is not null
    -- A node can be seen under two parents or names. Of the newest day the first product counts:
    -- which answer of a night came some milliseconds later means nothing.
    qualify
        row_number() over (
            partition by domain_id, category_id
            order by
                as_of_date desc,
                case when category_name is null then 1 else 0 end,
                asin asc,
                position asc
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
