create temporary table RAW.LANDING_LINES (
    staged_path varchar,
    file_row_number number(38, 0),
    raw_line varchar
)
-- values: []

delete from RAW.KEEPA_RAW where source_file in (?, ?)
-- values: ['env=dev/source=keepa/stream=product_raw/a_1.jsonl.gz', 'env=dev/source=keepa/stream=product_raw/b/2.jsonl.gz']

delete from MONITORING.LOAD_LEDGER where source_file in (?, ?)
-- values: ['env=dev/source=keepa/stream=product_raw/a_1.jsonl.gz', 'env=dev/source=keepa/stream=product_raw/b/2.jsonl.gz']

copy into RAW.LANDING_LINES (staged_path, file_row_number, raw_line)
from (
    select METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, $1
    from @RAW.STAGE_KEEPA
)
files = ('a_1.jsonl.gz', 'b/2.jsonl.gz')
file_format = (
    type = csv
    compression = gzip
    record_delimiter = '\n'
    field_delimiter = none
    skip_blank_lines = false
    field_optionally_enclosed_by = none
    escape = none
    escape_unenclosed_field = none
    trim_space = false
    null_if = ()
    empty_field_as_null = false
    replace_invalid_characters = true
    encoding = 'UTF8'
)
on_error = abort_statement
force = true
-- values: []

insert into RAW.KEEPA_RAW (
    payload,
    raw_line,
    _airbyte_raw_id,
    _airbyte_extracted_at,
    as_of_date,
    source_file,
    file_row_number,
    load_id,
    loaded_at
)
with landed as (
    select
        iff(startswith(staged_path, ?), staged_path, ? || staged_path) as source_file,
        file_row_number,
        rtrim(coalesce(raw_line, ''), chr(13)) as raw_line
    from RAW.LANDING_LINES
),
parsed as (
    select
        source_file,
        file_row_number,
        raw_line,
        case
            when not regexp_like(bare, '.*([[{,][[:space:]]*,|[^0-9][.]|[.][^0-9]).*')
                then coalesce(try_parse_json(raw_line), try_parse_json(regexp_replace(regexp_replace(regexp_replace(regexp_replace(raw_line, '(\\\\)\\\\', '\\1u005c'), '(\\\\u)([dD][89abAB][0-9a-fA-F]{2})(\\\\u)([dD][c-fC-F][0-9a-fA-F]{2})', '\\1+\\2\\3+\\4'), '(\\\\u)[dD][89a-fA-F][0-9a-fA-F]{2}', '\\1fffd'), '(\\\\u)\\+', '\\1')))
        end as line
    from (
        select
            *,
            regexp_replace(
                replace(replace(raw_line, chr(92) || chr(92), ''), chr(92) || '"', ''),
                '"[^"]*"',
                '""'
            ) as bare
        from landed
    ) as looked_at
),
records as (
    select
        source_file,
        file_row_number,
        raw_line,
        line:_airbyte_raw_id::varchar as raw_id,
        line:_airbyte_extracted_at::varchar as extracted_at,
        case
            when coalesce(typeof(line), '') <> 'OBJECT' then null
            when typeof(line:_airbyte_data) is null then line
            when typeof(line:_airbyte_data) = 'OBJECT' then line:_airbyte_data
        end as payload
    from parsed
)
select
    payload,
    case when payload is null then raw_line end as raw_line,
    raw_id as _airbyte_raw_id,
    coalesce(
        to_timestamp_ntz(
            -- Not a cast, which Snowflake may try on the lines that the condition leaves out.
            case
                when regexp_like(extracted_at, '-?[0-9]{1,14}([.]0+)?')
                    then try_to_number(extracted_at, 38, 0)
            end,
            3
        ),
        convert_timezone(
            'UTC',
            try_to_timestamp_tz(case when extracted_at like '%-%:%' then extracted_at end)
        )::timestamp_ntz
    ) as _airbyte_extracted_at,
    cast(? as date) as as_of_date,
    source_file,
    file_row_number,
    ? as load_id,
    cast(? as timestamp) as loaded_at
from records
-- values: ['env=dev/source=keepa/stream=product_raw/', 'env=dev/source=keepa/stream=product_raw/', '2026-01-31', 'run', '2026-02-01 00:30:00']

insert into MONITORING.LOAD_LEDGER (
    source_file,
    etag,
    as_of_date,
    size_bytes,
    lines,
    loaded,
    quarantined,
    load_id,
    loaded_at,
    arrived_at
)
select
    ? as source_file,
    ? as etag,
    cast(? as date) as as_of_date,
    ? as size_bytes,
    ? as lines,
    count(*) - count(raw_line) as loaded,
    count(raw_line) as quarantined,
    ? as load_id,
    cast(? as timestamp) as loaded_at,
    cast(? as timestamp) as arrived_at
from RAW.KEEPA_RAW
where source_file = ?
-- values: ['env=dev/source=keepa/stream=product_raw/a_1.jsonl.gz', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '2026-01-31', 9, 2, 'run', '2026-02-01 00:30:00', '2026-02-01 00:29:05', 'env=dev/source=keepa/stream=product_raw/a_1.jsonl.gz']

insert into MONITORING.LOAD_LEDGER (
    source_file,
    etag,
    as_of_date,
    size_bytes,
    lines,
    loaded,
    quarantined,
    load_id,
    loaded_at,
    arrived_at
)
select
    ? as source_file,
    ? as etag,
    cast(? as date) as as_of_date,
    ? as size_bytes,
    ? as lines,
    count(*) - count(raw_line) as loaded,
    count(raw_line) as quarantined,
    ? as load_id,
    cast(? as timestamp) as loaded_at,
    cast(? as timestamp) as arrived_at
from RAW.KEEPA_RAW
where source_file = ?
-- values: ['env=dev/source=keepa/stream=product_raw/b/2.jsonl.gz', 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', '2026-01-31', 9, 2, 'run', '2026-02-01 00:30:00', '2026-02-01 00:29:05', 'env=dev/source=keepa/stream=product_raw/b/2.jsonl.gz']
