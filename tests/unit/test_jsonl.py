"""The lines of a landing file, and the damage that makes a file unreadable. See `tests/fuzz.py`."""

import gzip
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.landing.manifest import landed_file
from veracitypro_pipeline.raw import engines
from veracitypro_pipeline.stage_values.landing import LandedFile

ARRIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)


def landed(path: Path) -> LandedFile:
    return landed_file("key", "etag", 1, jsonl.lines(path), ARRIVED_AT)


def test_a_line_of_a_hundred_megabytes_is_an_error_and_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"sync_id":7}\n')
        for _ in range(100):
            file.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000

    tracemalloc.start()
    bomb = landed(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert bomb.sync_ids == {"7": 1}
    assert bomb.damage == "TooLargeError: a line has more than 16,000,000 bytes"
    assert peak < 4 * jsonl.LINE_BYTES


def test_a_decompression_bomb_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "FILE_BYTES", 10_000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * 100_000))
    bomb = landed(path)
    assert bomb.damage == "TooLargeError: it expands to more than 10,000 bytes"
    assert bomb.lines == 10_000


def test_a_million_lines_are_read_with_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.gz"
    path.write_bytes(gzip.compress(b"{}\n" * 1_000_000, 1))
    file = LandedFile(key="key", etag="etag", size_bytes=1, lines=1_000_000, sync_ids={})
    rows = [batch.num_rows for batch in engines.line_batches([file], [path])]
    assert sum(rows) == 1_000_000
    # A string of two characters takes some fifty bytes.
    assert max(rows) < engines.BATCH_BYTES / 50
