"""The statements that load landing lines into RAW on DuckDB. Pure: values in, SQL out.

The lines come as a relation `landing_lines(source_file, file_row_number, raw_line)`. Everything
else is bound, because file names are whatever somebody put into a bucket.
"""

from typing import Final

from veracitypro_pipeline.raw.tables import Load, replacing
from veracitypro_pipeline.statement import Statement

CREATE_TABLES: Final = (
    Statement("create schema if not exists RAW"),
    Statement("create schema if not exists MONITORING"),
    Statement("""
create table if not exists RAW.KEEPA_RAW (
    payload json,
    raw_line varchar,
    _airbyte_raw_id varchar,
    _airbyte_extracted_at timestamp,
    as_of_date date not null,
    source_file varchar not null,
    file_row_number bigint not null,
    load_id varchar not null,
    loaded_at timestamp not null
)
"""),
    Statement("""
create table if not exists MONITORING.LOAD_LEDGER (
    source_file varchar primary key,
    etag varchar not null,
    as_of_date date not null,
    size_bytes bigint not null,
    lines bigint not null,
    loaded bigint not null,
    quarantined bigint not null,
    load_id varchar not null,
    loaded_at timestamp not null
)
"""),
    # Of a warehouse that was made before the column was: null for the files that it had loaded.
    Statement("alter table MONITORING.LOAD_LEDGER add column if not exists arrived_at timestamp"),
)

# A line of Airbyte's S3 destination carries the record in `_airbyte_data`, or, with flattening, at
# its root. The instant is epoch milliseconds, as a number or quoted, or ISO 8601; what is neither,
# or lies beyond any date, is null: one line must not end the load. A line that is no JSON object,
# or whose `_airbyte_data` is none, keeps its text in place of a payload.
_INSERT_ROWS: Final = """
insert into RAW.KEEPA_RAW
with parsed as (
    select
        source_file,
        file_row_number,
        raw_line,
        try_cast(raw_line as json) as line
    from landing_lines
),
records as (
    select
        source_file,
        file_row_number,
        raw_line,
        line,
        line ->> '_airbyte_extracted_at' as extracted_at,
        case
            when json_type(line) is distinct from 'OBJECT' then null
            when not json_exists(line, '$._airbyte_data') then line
            when json_type(line, '$._airbyte_data') = 'OBJECT' then line -> '_airbyte_data'
        end as payload
    from parsed
)
select
    payload,
    case when payload is null then raw_line end as raw_line,
    line ->> '_airbyte_raw_id' as _airbyte_raw_id,
    coalesce(
        make_timestamp_ms(
            case when regexp_full_match(extracted_at, '-?[0-9]{1,14}') then extracted_at::bigint end
        ),
        try_cast(
            case when extracted_at like '%-%:%' then extracted_at end as timestamptz
        )::timestamp
    ) as _airbyte_extracted_at,
    $as_of_date::date as as_of_date,
    source_file,
    file_row_number,
    $load_id as load_id,
    $loaded_at::timestamp as loaded_at
from records
"""


def load_statements(load: Load) -> list[Statement]:
    """Replace what these files brought before by what they hold now."""
    return replacing(load, [Statement(_INSERT_ROWS, load.stamp)])
