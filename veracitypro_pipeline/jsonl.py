"""Lines of a `.jsonl.gz` landing file, whatever its bytes are."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# A product with all its histories and offers is some MB; Snowflake reads lines up to 16 MB.
LINE_BYTES: Final = 16_000_000
# Airbyte's destination cuts at 200 MB compressed, a tenth of what is in it; a record has 1 kB or
# more. To count 16 GB of empty lines would take hours.
FILE_BYTES: Final = 16_000_000_000
FILE_LINES: Final = 2_000_000


class TooLarge(ValueError):
    """More in a file than any sync writes: a line, lines, or bytes after decompression."""


# Of a file that is cut, no gzip at all, broken inside, or a bomb.
DAMAGE: Final = (EOFError, gzip.BadGzipFile, zlib.error, TooLarge)


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a gzip file in order, without their newline; an empty line counts.

    Raises one of `DAMAGE` where the file is damaged, after the lines before that place.
    Memory holds one line.
    """
    size = count = 0
    with gzip.open(path, "rb") as file:
        while line := file.readline(LINE_BYTES + 1):
            size += len(line)
            count += 1
            if len(line) > LINE_BYTES:
                raise TooLarge(f"a line has more than {LINE_BYTES:,} bytes")
            if count > FILE_LINES:
                raise TooLarge(f"it has more than {FILE_LINES:,} lines")
            if size > FILE_BYTES:
                raise TooLarge(f"it expands to more than {FILE_BYTES:,} bytes")
            yield line.rstrip(b"\r\n")
