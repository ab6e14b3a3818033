-- What it holds depends on which loads came last. STG depends on the set of loads alone, so this is
-- kept with the other notes of a build.
{{ config(
    schema='monitoring',
    alias='_stg_keepa_payload',
    meta={'dagster': {'group': 'stg', 'asset_key': ['stg', 'stg_keepa_payload']}}
) }}

with

fetches as (

    select *
    from {{ ref('stg_keepa_fetch') }}
    where not is_repeat and loaded_at in ({{ loads_to_count() }})

),

-- Only of the files concerned, so that the payloads of all others stay unread.
raw_rows as (

    select *
    from {{ source('keepa', 'keepa_raw') }}
    where source_file in (select fetches.source_file from fetches)

),

payloads as (

    {% set whole -%}
    select
        fetches.fetch_id,
        raw_rows.payload
    from fetches
    inner join raw_rows
        on
            fetches.source_file = raw_rows.source_file
            and fetches.file_row_number = raw_rows.file_row_number
    {%- endset %}
    {{ in_shares(whole, 'fetch_id') }}

),

final as (

    {{ json_parts('payloads', ['fetch_id'], payload_parts()) }}

)

select * from final
