"""What RAW holds of a file, asked and written in SQL that every engine understands. Pure.

`{table}` stands for the table of a stream (`on`). Everything but names of tables is bound, because
file names are whatever somebody put into a bucket.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from veracitypro_pipeline.sources.source import Stream
from veracitypro_pipeline.stage_values.landing import LandedFile
from veracitypro_pipeline.statement import Statement

LEDGER_OF_FILES: Final = """
select source_file, etag, as_of_date
from MONITORING.LOAD_LEDGER
where source_file in ($files)
"""

# A row has either a payload or the text of a line that is none. The text is counted: its column is
# nearly empty, while a payload is all that the source sent.

# Of each file, as it stands in RAW: the rows, and those without a payload.
ROWS_OF_FILES: Final = """
select
    source_file,
    count(*) as raw_rows,
    count(raw_line) as refused
from {table}
where source_file in ($files)
group by source_file
"""

# JSON writes a character beyond the first plane as a pair of escapes. Half of a pair, left where a
# text was cut in the middle of an emoji, makes its whole line unreadable. These patterns and their
# replacements, in this order, put U+FFFD for each half and change no other meaning. Both engines
# know their forms; no replacement writes a backslash of its own, which engines read differently.
HALVES_REPLACED: Final = (
    # A backslash that is text must not look as if it began an escape.
    (r"(\\)\\", r"\1u005c"),
    # No escape in JSON looks like this.
    (
        r"(\\u)([dD][89abAB][0-9a-fA-F]{2})(\\u)([dD][c-fC-F][0-9a-fA-F]{2})",
        r"\1+\2\3+\4",
    ),
    (r"(\\u)[dD][89a-fA-F][0-9a-fA-F]{2}", r"\1fffd"),
    (r"(\\u)\+", r"\1"),
)

# Rows of these files of which the record stands in another row of them.
DOUBLED_RECORDS: Final = """
select count(_airbyte_raw_id) - count(distinct _airbyte_raw_id) as doubled
from {table}
where source_file in ($files)
"""

# Files whose row count in RAW differs from the ledger, of any day. The ledger is shared by all
# sources: a file of which this table has no row is missed here only if it lies below `prefix`.
# `position` compares what is written, where `like` would take a `_` for any character.
FILES_UNLIKE_LEDGER: Final = """
with in_raw as (
    select
        source_file,
        min(as_of_date) as as_of_date,
        count(*) - count(raw_line) as loaded,
        count(raw_line) as quarantined
    from {table}
    group by source_file
)
select
    coalesce(ledger.source_file, in_raw.source_file) as source_file,
    coalesce(ledger.as_of_date, in_raw.as_of_date) as as_of_date,
    coalesce(ledger.lines, 0) as lines,
    coalesce(in_raw.loaded, 0) + coalesce(in_raw.quarantined, 0) as raw_rows
from MONITORING.LOAD_LEDGER as ledger
full outer join in_raw on ledger.source_file = in_raw.source_file
where
    (in_raw.source_file is not null or position($prefix in ledger.source_file) = 1)
    and (
        coalesce(ledger.lines, 0) <> coalesce(in_raw.loaded, 0) + coalesce(in_raw.quarantined, 0)
        or coalesce(ledger.loaded, 0) <> coalesce(in_raw.loaded, 0)
        or ledger.source_file is null
    )
order by as_of_date, source_file
"""

FILES_IN_LEDGER: Final = "select source_file from MONITORING.LOAD_LEDGER"

_FORGET_ROWS: Final = "delete from {table} where source_file in ($files)"
_FORGET_LEDGER: Final = "delete from MONITORING.LOAD_LEDGER where source_file in ($files)"

_INSERT_LEDGER: Final = """
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
    $source_file as source_file,
    $etag as etag,
    cast($as_of_date as date) as as_of_date,
    $size_bytes as size_bytes,
    $lines as lines,
    count(*) - count(raw_line) as loaded,
    count(raw_line) as quarantined,
    $load_id as load_id,
    cast($loaded_at as timestamp) as loaded_at,
    cast($arrived_at as timestamp) as arrived_at
from {table}
where source_file = $source_file
"""


def on(stream: Stream, sql: str) -> str:
    """SQL of this stage about the table of a stream."""
    return sql.replace("{table}", stream.raw_table)


class Load(NamedTuple):
    """One load of a stream's landing files: which, on behalf of what, and when.

    `loaded_at` is UTC without a zone, as the table's instants are; `load_id` is the Dagster run.
    `gone` are files of the same sync that are not there any more: whoever renames a file must not
    double its rows.
    """

    stream: Stream
    files: Sequence[LandedFile]
    as_of_date: date
    load_id: str
    loaded_at: datetime
    gone: Sequence[str] = ()

    @property
    def names(self) -> dict[str, list[str]]:
        return {"files": [file.key for file in self.files]}

    @property
    def stamp(self) -> dict[str, Any]:
        return {
            "as_of_date": self.as_of_date.isoformat(),
            "load_id": self.load_id,
            "loaded_at": self.loaded_at.isoformat(sep=" "),
        }


def replacing(load: Load, inserts: Sequence[Statement]) -> list[Statement]:
    """Replace what these files brought before in RAW, by `inserts`, and in the ledger."""
    outdated = {"files": [*load.names["files"], *load.gone]}
    return [
        Statement(on(load.stream, _FORGET_ROWS), outdated),
        Statement(_FORGET_LEDGER, outdated),
        *inserts,
        *(
            Statement(
                on(load.stream, _INSERT_LEDGER),
                {
                    **load.stamp,
                    "source_file": file.key,
                    "etag": file.etag,
                    "size_bytes": file.size_bytes,
                    "lines": file.lines,
                    "arrived_at": _stamp(file.arrived_at),
                },
            )
            for file in load.files
        ),
    ]


def _stamp(arrived_at: datetime | None) -> str | None:
    """UTC without a zone, as the tables' instants are."""
    if arrived_at is None:
        return None
    return arrived_at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def miscounted(load: Load, raw_rows: dict[str, int]) -> list[str]:
    """A sentence for each file of which RAW does not hold as many rows as the manifest counted."""
    return [
        f"{file.key}: {file.lines} lines counted, {raw_rows.get(file.key, 0)} rows loaded"
        for file in load.files
        if raw_rows.get(file.key, 0) != file.lines
    ]
