{{
    config(
        materialized='incremental_by_segment',
        meta={
            'segment': 'key',
            'built_from': ['source_file', 'load_id'],
            'input': ['keepa', 'keepa_raw'],
        },
    )
}}

with

-- Found by their keys alone, so that the payloads of all other files stay unread. A file that was
-- loaded again in another version carries another load_id.
new_files as (

    select distinct
        raw_rows.source_file,
        raw_rows.load_id
    from {{ source('keepa', 'keepa_raw') }} as raw_rows
    where {{ not_yet_built('raw_rows') }}

),

source as (

    {% set whole -%}
    select raw_rows.*
    from {{ source('keepa', 'keepa_raw') }} as raw_rows
    inner join new_files
        on
            raw_rows.source_file = new_files.source_file
            and raw_rows.load_id = new_files.load_id
    {%- endset %}
    {{ in_shares(whole, 'file_row_number') }}

),

lines as (

    select
        source_file,
        file_row_number,
        load_id,
        loaded_at,
        as_of_date,
        _airbyte_raw_id,
        _airbyte_extracted_at,
        {{ json_is('payload', 'object') }} as is_object,
        md5({{ json_as_text('payload') }}) as content_hash,
        coalesce(raw_line, {{ json_as_text('payload') }}) as text,
        payload
    from source

),

keys as (

    {{ json_parts(
        'lines',
        [
            'source_file',
            'file_row_number',
            'load_id',
            'loaded_at',
            'as_of_date',
            '_airbyte_raw_id',
            '_airbyte_extracted_at',
            'is_object',
            'content_hash',
            'text',
        ],
        {'payload': ['domainId', 'asin', 'productType']},
    ) }}

),

parsed as (

    select
        source_file,
        file_row_number,
        load_id,
        loaded_at,
        as_of_date,
        _airbyte_raw_id,
        is_object,
        content_hash,
        text,
        {{ json_is('payload', 'string', 'asin') }} as is_asin_text,
        {{ json_text('payload', 'asin') }} as asin,
        {{ json_text('payload', 'domainId') }} as domain_id_text,
        {{ json_as_integer('payload', 'domainId') }} as domain_id,
        {{ integer_or_none('payload', 'productType') }} as product_type,
        -- The envelope's timestamp does not reach the record, so the instant at which Airbyte read
        -- it stands in. A line without that instant was read at the end of the day it stands for.
        coalesce(_airbyte_extracted_at, {{ midnight_after('as_of_date') }}) as fetched_at
    from keys

),

judged as (

    select
        parsed.*,
        case
            when not parsed.is_object then 'not_a_json_object'
            when parsed.domain_id_text is null then 'domain_id_missing'
            when marketplaces.domain_id is null then 'domain_id_unknown'
            when parsed.asin is null then 'asin_missing'
            when not parsed.is_asin_text then 'asin_not_text'
            when not {{ text_matches('parsed.asin', '[A-Z0-9]{10}') }} then 'asin_malformed'
        end as refusal_reason
    from parsed
    left join {{ ref('keepa_marketplaces') }} as marketplaces
        on parsed.domain_id = marketplaces.domain_id

),

final as (

    select
        -- ids
        source_file,
        cast(file_row_number as bigint) as file_row_number,
        load_id,
        _airbyte_raw_id as raw_id,
        case when refusal_reason is null then cast(domain_id as integer) end as domain_id,
        case when refusal_reason is null then asin end as asin,
        content_hash,
        case
            when refusal_reason is null
                then
                    md5(
                        cast(domain_id as varchar) || '|' || asin || '|'
                        || {{ instant_as_text('fetched_at') }} || '|' || content_hash
                    )
        end as fetch_id,

        -- attributes
        product_type,
        refusal_reason,
        case when refusal_reason is not null then text end as refused_text,

        -- timestamps
        fetched_at,
        as_of_date,
        loaded_at
    from judged

)

select * from final
