"""The statements that load landing lines into RAW on DuckDB. Pure: values in, SQL out.

The lines come as a relation `landing_lines(source_file, file_row_number, raw_line)`. Everything
else is bound, because file names are whatever somebody put into a bucket.
"""

from functools import reduce
from typing import Final

from veracitypro_pipeline.raw.tables import HALVES_REPLACED, Load, on, replacing
from veracitypro_pipeline.sources.source import Stream
from veracitypro_pipeline.statement import Statement

_CREATE_TABLE: Final = """
create table if not exists {table} (
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
"""
_CREATE_LEDGER: Final = (
    Statement("create schema if not exists RAW"),
    Statement("create schema if not exists MONITORING"),
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
# or whose `_airbyte_data` is none, keeps its text in place of a payload; so does one in which a key
# of the line or of the record stands twice, which says two things and is no JSON to Snowflake.
# Each JSON function reads its line from the start, so that one is asked for several places.
def _replaced(text: str, step: tuple[str, str]) -> str:
    pattern, replacement = step
    return f"regexp_replace({text}, '{pattern}', '{replacement}', 'g')"


_INSERT_ROWS: Final = """
insert into {table}
with parsed as (
    select
        source_file,
        file_row_number,
        raw_line,
        coalesce(try_cast(raw_line as json), try_cast({mended} as json)) as line
    from landing_lines
),
looked_at as (
    select
        *,
        json_extract_string(line, ['_airbyte_raw_id', '_airbyte_extracted_at']) as envelope,
        json_type(line, ['$', '$._airbyte_data']) as kinds,
        json_keys(line, ['$', '$._airbyte_data']) as keys
    from parsed
),
records as (
    select
        source_file,
        file_row_number,
        raw_line,
        envelope[1] as raw_id,
        envelope[2] as extracted_at,
        case
            when kinds[1] is distinct from 'OBJECT' then null
            when not list_bool_and([len(names) = len(list_distinct(names)) for names in keys])
                then null
            when kinds[2] is null then line
            when kinds[2] = 'OBJECT' then line -> '_airbyte_data'
        end as payload
    from looked_at
)
select
    payload,
    case when payload is null then raw_line end as raw_line,
    raw_id as _airbyte_raw_id,
    coalesce(
        make_timestamp_ms(
            case
                when regexp_full_match(extracted_at, '-?[0-9]{1,14}([.]0+)?')
                    then extracted_at::bigint
            end
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
""".replace("{mended}", reduce(_replaced, HALVES_REPLACED, "raw_line"))


def create_tables(stream: Stream) -> list[Statement]:
    """Make the stream's table and the ledger of all streams where they are missing."""
    return [*_CREATE_LEDGER, Statement(on(stream, _CREATE_TABLE))]


def load_statements(load: Load) -> list[Statement]:
    """Replace what these files brought before by what they hold now."""
    return replacing(load, [Statement(on(load.stream, _INSERT_ROWS), load.stamp)])
