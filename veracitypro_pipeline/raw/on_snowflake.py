"""The statements that load landing lines into RAW on Snowflake. Pure: values in, SQL out.

Snowflake reads the files itself, from the stage that infra/snowflake makes. `COPY INTO` brings the
manifest's files, each line whole, into a table of this session; from there on it is SQL as on
DuckDB. The tables themselves are made by infra/snowflake.

Source: Snowflake's documentation of COPY INTO <table>, CREATE FILE FORMAT and of the metadata
columns of staged files (read 2026-11).
"""

import re
from collections.abc import Iterator
from functools import reduce
from typing import Final

from veracitypro_pipeline.raw.tables import HALVES_REPLACED, Load, on, replacing
from veracitypro_pipeline.sources.source import Stream
from veracitypro_pipeline.statement import Statement

# Snowflake's limit for the list FILES of one COPY.
FILES_PER_COPY: Final = 1_000

# Of this session only, and gone with it. It is made before the transaction, which DDL would end.
CREATE_STAGING: Final = Statement("""
create temporary table RAW.LANDING_LINES (
    staged_path varchar,
    file_row_number number(38, 0),
    raw_line varchar
)
""")

# Every line as one text, whatever is in it: nothing separates, encloses or escapes. A byte that is
# no UTF-8 becomes U+FFFD. FORCE, because Snowflake's own memory of loaded files ends after 64 days
# and knows no etag: what is loaded again is decided by MONITORING.LOAD_LEDGER.
_COPY: Final = """
copy into RAW.LANDING_LINES (staged_path, file_row_number, raw_line)
from (
    select METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, $1
    from @{stage}
)
files = ({files})
file_format = (
    type = csv
    compression = gzip
    record_delimiter = '\\n'
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
"""


def _replaced(text: str, step: tuple[str, str]) -> str:
    # In Snowflake's literals, a backslash stands twice.
    pattern, replacement = (part.replace("\\", "\\\\") for part in step)
    return f"regexp_replace({text}, '{pattern}', '{replacement}')"


# See on_duckdb.py for the forms of a line. METADATA$FILENAME is the path in the bucket, and so the
# object's key; documentation also calls it the path in the stage, which lacks the stage's own.
# Snowflake also reads arrays with holes ([1,,2]) and numbers like .5, which are no JSON to DuckDB:
# they are looked for in `bare`, the line without the contents of its strings.
_INSERT_ROWS: Final = """
insert into {table} (
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
        iff(startswith(staged_path, $prefix), staged_path, $prefix || staged_path) as source_file,
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
                then coalesce(try_parse_json(raw_line), try_parse_json({mended}))
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
    cast($as_of_date as date) as as_of_date,
    source_file,
    file_row_number,
    $load_id as load_id,
    cast($loaded_at as timestamp) as loaded_at
from records
""".replace("{mended}", reduce(_replaced, HALVES_REPLACED, "raw_line"))

# What S3 advises against in keys, and what would not survive a listing or a log line.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]")
# S3's limit for a key, in bytes.
_KEY_BYTES: Final = 1_024


def load_statements(load: Load, prefix: str) -> list[Statement]:
    """Replace what these files brought before by what the stage holds now.

    `prefix` is the path of the stage in its bucket; it ends with a slash.

    Raises:
        ValueError: a file is none of the stage's, or has a name that is not safe to write.
    """
    return replacing(
        load,
        [
            *(
                Statement(_COPY.format(stage=load.stream.snowflake_stage, files=files))
                for files in _lists_of_files(load, prefix)
            ),
            Statement(on(load.stream, _INSERT_ROWS), {**load.stamp, "prefix": prefix}),
        ],
    )


def _lists_of_files(load: Load, prefix: str) -> Iterator[str]:
    """The contents of FILES, which takes no bound values: names below the stage, as literals."""
    names = [_literal(_below(file.key, prefix, load.stream)) for file in load.files]
    for first in range(0, len(names), FILES_PER_COPY):
        yield ", ".join(names[first : first + FILES_PER_COPY])


def _below(key: str, prefix: str, stream: Stream) -> str:
    name = key.removeprefix(prefix)
    if name == key or not name:
        raise ValueError(
            f"The landing file {key!r} does not lie under {prefix!r}, the path of the stage"
            f" {stream.snowflake_stage}: make the S3 path of the Airbyte connection and of the"
            " stage the same."
        )
    if _UNSAFE.search(key) or len(key.encode()) > _KEY_BYTES:
        raise ValueError(
            f"The landing file {key!r} has a name that cannot be written into a statement: expected"
            f" no control characters and at most {_KEY_BYTES} bytes; copy it to another name."
        )
    return name


def _literal(text: str) -> str:
    """A string in Snowflake's single quotes, in which a backslash escapes too."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
