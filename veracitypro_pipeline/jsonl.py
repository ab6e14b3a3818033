"""Lines of a `.jsonl.gz` landing file, whatever its bytes are."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# What gzip raises for a file that is cut, no gzip at all, or broken inside.
DAMAGE: Final = (EOFError, gzip.BadGzipFile, zlib.error)


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a gzip file in order, without their newline; an empty line counts.

    Raises one of `DAMAGE` where the file is damaged, after the lines before that place.
    """
    with gzip.open(path, "rb") as file:
        for line in file:
            yield line.rstrip(b"\r\n")
