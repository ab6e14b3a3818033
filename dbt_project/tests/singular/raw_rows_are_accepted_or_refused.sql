-- If red: products are missing from every table after STG, or stand there twice. The row names the
-- file; compare RAW.KEEPA_RAW with STG.STG_KEEPA_FETCH and STG.STG_KEEPA_QUARANTINE by file_row_number.
{{ config(meta={'dagster': {'ref': {'name': 'stg_keepa_fetch'}}}) }}

with

raw_rows as (

    select
        source_file,
        count(*) as raw_count
    from {{ source('keepa', 'keepa_raw') }}
    group by source_file

),

accepted as (

    select
        source_file,
        count(*) as accepted_count
    from {{ ref('stg_keepa_fetch') }}
    group by source_file

),

refused as (

    select
        source_file,
        count(*) as refused_count
    from {{ ref('stg_keepa_quarantine') }}
    where scope = 'record'
    group by source_file

)

select
    coalesce(raw_rows.source_file, accepted.source_file, refused.source_file) as source_file,
    coalesce(raw_rows.raw_count, 0) as raw_count,
    coalesce(accepted.accepted_count, 0) as accepted_count,
    coalesce(refused.refused_count, 0) as refused_count
from raw_rows
full outer join accepted on raw_rows.source_file = accepted.source_file
full outer join refused on coalesce(raw_rows.source_file, accepted.source_file) = refused.source_file
where
    coalesce(raw_rows.raw_count, 0)
    <> coalesce(accepted.accepted_count, 0) + coalesce(refused.refused_count, 0)
