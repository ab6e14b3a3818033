"""The statements that load landing lines into RAW on DuckDB. Pure: values in, SQL out.

The lines come as a relation `landing_lines(source_file, file_row_number, raw_line)`. Everything
else is bound, because file names are whatever somebody put into a bucket.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from veracitypro_pipeline.handover import LandedFile
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
)

LEDGER_OF_FILES: Final = """
select source_file, etag
from MONITORING.LOAD_LEDGER
where source_file in (select unnest($files))
"""

# Of each file, as it stands in RAW: the rows with a payload and those without.
ROWS_OF_FILES: Final = """
select
    source_file,
    count(*) as raw_rows,
    count(*) filter (where payload is null) as refused
from RAW.KEEPA_RAW
where source_file in (select unnest($files))
group by source_file
"""

_FORGET_ROWS: Final = "delete from RAW.KEEPA_RAW where source_file in (select unnest($files))"
_FORGET_LEDGER: Final = (
    "delete from MONITORING.LOAD_LEDGER where source_file in (select unnest($files))"
)

# A line of Airbyte's S3 destination carries the record in `_airbyte_data`, or, with flattening, at
# its root. The instant is epoch milliseconds, as a number or quoted, or ISO 8601. A line that is no
# JSON object, or whose `_airbyte_data` is none, keeps its text in place of a payload.
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
        make_timestamp_ms(try_cast(extracted_at as bigint)),
        try_cast(extracted_at as timestamptz)::timestamp
    ) as _airbyte_extracted_at,
    $as_of_date::date as as_of_date,
    source_file,
    file_row_number,
    $load_id as load_id,
    $loaded_at::timestamp as loaded_at
from records
"""

_INSERT_LEDGER: Final = """
insert into MONITORING.LOAD_LEDGER
select
    $source_file as source_file,
    $etag as etag,
    $as_of_date::date as as_of_date,
    $size_bytes as size_bytes,
    $lines as lines,
    count(payload) as loaded,
    count(*) - count(payload) as quarantined,
    $load_id as load_id,
    $loaded_at::timestamp as loaded_at
from RAW.KEEPA_RAW
where source_file = $source_file
"""


def load_statements(
    files: Sequence[LandedFile], *, as_of_date: date, load_id: str, loaded_at: datetime
) -> list[Statement]:
    """Replace in RAW and in the ledger what these files brought before by what they hold now.

    `loaded_at` is UTC without a zone, as the table's instants are.
    """
    stamp = {"as_of_date": as_of_date, "load_id": load_id, "loaded_at": loaded_at}
    names = {"files": [file.key for file in files]}
    return [
        Statement(_FORGET_ROWS, names),
        Statement(_FORGET_LEDGER, names),
        Statement(_INSERT_ROWS, stamp),
        *(
            Statement(
                _INSERT_LEDGER,
                {
                    **stamp,
                    "source_file": file.key,
                    "etag": file.etag,
                    "size_bytes": file.size_bytes,
                    "lines": file.lines,
                },
            )
            for file in files
        ),
    ]
