"""Writes records to S3 as Airbyte's S3 destination does: JSON lines, gzip, raw envelope.

Source: Airbyte documentation, "S3 destination" (JSON Lines, no flattening), read in 2026. A part is
uploaded as a whole: a failed sync leaves its finished parts, and nothing of the unfinished one.
"""

import gzip
import json
import re
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Self

# Bytes after compression; the S3 destination's default file size.
PART_BYTES: Final = 200_000_000
# Fast rather than small: level 6 takes three times as long and saves a tenth of the size.
GZIP_LEVEL: Final = 4
_HALF_OF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Bucket:
    """Where the connection writes: `client` is boto3's, `prefix` ends with a slash."""

    client: Any
    name: str
    prefix: str
    part_bytes: int = PART_BYTES


class S3Destination:
    """The writer of one sync. Objects are `<prefix>YYYY_MM_DD_<epoch ms>_<part>.jsonl.gz`.

    A context manager: leaving it uploads the last part, unless an exception does.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        sync_id: int,
        started_at: datetime,
        columns: frozenset[str],
        on_part: Callable[[int, int], None],
        folder: Path,
    ) -> None:
        """Columns other than `columns` are dropped. `on_part(rows, bytes)` is called after each
        upload. `folder` holds the part being written."""
        self._bucket = bucket
        self._sync_id = sync_id
        self._key = f"{bucket.prefix}{started_at:%Y_%m_%d}_{epoch_ms(started_at)}"
        self._columns = columns
        self._on_part = on_part
        self._folder = folder
        self._part = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._upload()
        elif self._file is not None:
            self._file.close()

    def write(self, record: Mapping[str, Any], extracted_at: datetime) -> None:
        """Append one record; upload the part once it is large enough."""
        if self._file is None:
            self._open()
        data = {name: value for name, value in record.items() if name in self._columns}
        line = {
            "_airbyte_raw_id": str(uuid.uuid4()),
            "_airbyte_extracted_at": epoch_ms(extracted_at),
            "_airbyte_meta": {"sync_id": self._sync_id, "changes": []},
            "_airbyte_generation_id": 0,
            "_airbyte_data": data,
        }
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
        # A text cut in the middle of an emoji ends in half of a surrogate pair, which UTF-8 lacks.
        encoded = _HALF_OF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", text).encode() + b"\n"
        self._gzip.write(encoded)
        self._rows += 1
        self._bytes += len(encoded)
        if self._file is not None and self._file.tell() >= self._bucket.part_bytes:
            self._upload()

    def _upload(self) -> None:
        if self._file is None:
            return
        self._gzip.close()
        self._file.seek(0)
        self._bucket.client.put_object(
            Bucket=self._bucket.name, Key=f"{self._key}_{self._part}.jsonl.gz", Body=self._file
        )
        self._file.close()
        self._file = None
        self._part += 1
        self._on_part(self._rows, self._bytes)

    def _open(self) -> None:
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by __exit__
        self._gzip = gzip.GzipFile("", "wb", GZIP_LEVEL, self._file, mtime=0)
        self._rows = self._bytes = 0


def epoch_ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
