{{ config(materialized='view') }}

with

records as (

    select * from {{ ref('stg_keepa_record') }}
    where refusal_reason is not null

),

parts as (

    select * from {{ ref('stg_keepa_refused_part') }}

),

fetches as (

    select * from {{ ref('stg_keepa_fetch') }}
    where not is_repeat

),

final as (

    select
        source_file,
        file_row_number,
        as_of_date,
        refusal_reason as reason,
        'record' as scope,
        cast(null as varchar) as series,
        cast(null as bigint) as position,
        refused_text as raw_text
    from records
    union all
    select
        fetches.source_file,
        fetches.file_row_number,
        fetches.as_of_date,
        parts.reason,
        parts.scope,
        parts.series,
        parts.position,
        parts.raw_text
    from parts
    inner join fetches on parts.fetch_id = fetches.fetch_id

)

select * from final
