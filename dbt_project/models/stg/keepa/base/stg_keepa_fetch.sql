{{ config(materialized='view') }}

with

records as (

    select * from {{ ref('stg_keepa_record') }}

),

accepted as (

    select
        -- ids
        fetch_id,
        domain_id,
        asin,
        content_hash,
        raw_id,
        source_file,
        file_row_number,
        load_id,

        -- attributes
        product_type,
        -- Keepa hides or has no data for types 3, 4 and 5: such an answer states nothing about a
        -- product known from another fetch. A type that is new to us may well carry data.
        coalesce(product_type not in (3, 4, 5), true) as is_usable,
        -- Files can be delivered twice. One row of a fetch is read, always the same one.
        row_number() over (
            partition by fetch_id
            order by source_file, file_row_number
        ) > 1 as is_repeat,

        -- timestamps
        fetched_at,
        as_of_date,
        loaded_at
    from records
    where refusal_reason is null

)

select * from accepted
