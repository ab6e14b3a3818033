"""Reads the lines of a `.jsonl.gz` landing file, also of a damaged one."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# A product with its whole history and offers is some MB; Snowflake reads lines up to 16 MB.
LINE_BYTES: Final = 16_000_000
# Airbyte's destination starts a new file at 200 MB compressed, a tenth of the text; a record has 1
# kB or more. Counting 16 GB of empty lines would take hours.
FILE_BYTES: Final = 16_000_000_000
FILE_LINES: Final = 2_000_000


class TooLargeError(ValueError):
    """A line, the number of lines, or the decompressed size exceeds what a sync can write."""


# Errors of a file that is truncated, not gzip, corrupt, or a decompression bomb.
DAMAGE: Final = (EOFError, gzip.BadGzipFile, zlib.error, TooLargeError)


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a gzip file without their newline, empty lines too; one is in memory.

    Raises one of `DAMAGE` at the first damage, after the lines before it.
    """
    size = count = 0
    with gzip.open(path, "rb") as file:
        while line := file.readline(LINE_BYTES + 1):
            size += len(line)
            count += 1
            if len(line) > LINE_BYTES:
                raise TooLargeError(f"a line has more than {LINE_BYTES:,} bytes")
            if count > FILE_LINES:
                raise TooLargeError(f"it has more than {FILE_LINES:,} lines")
            if size > FILE_BYTES:
                raise TooLargeError(f"it expands to more than {FILE_BYTES:,} bytes")
            yield line.rstrip(b"\r\n")
