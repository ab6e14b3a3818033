"""A full disk in each layer that writes: one sentence, and no retry."""

import errno
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import sqlalchemy
from botocore.exceptions import ClientError

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.cli.event_storage import OpenSqliteEventLogStorage
from veracitypro_pipeline.cli.main import _sentence
from veracitypro_pipeline.cli.streams import lossy_file
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.full_disk import FullDiskError
from veracitypro_pipeline.local.private_files import write_json
from veracitypro_pipeline.local.services.airbyte.jobs import JobStore
from veracitypro_pipeline.resources.dbt.resource import failure_of
from veracitypro_pipeline.resources.http import raise_for_status
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import WarehouseRejectedError
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.step_guard import final_when_interrupted

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, on the fullest file system: 7 MB are free."""
    monkeypatch.setattr(full_disk, "_places", [])
    home = tmp_path / "home"
    Settings.load(home=home)
    full_disk.learn_places([home])
    free = {tmp_path: 7_340_032}
    monkeypatch.setattr(full_disk, "_free_bytes", lambda place: free.get(place, 10**12))
    return home


def is_the_sentence(text: str, place: Path) -> bool:
    start = f"The file system of {place} is full (7 MB free now): make room there, or name another"
    return text.startswith(start) and "\n" not in text and text.count("The file system") == 1


def behind(error: Exception) -> Exception:
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("It could not be written.") from cause
    except RuntimeError as outer:
        return outer


def of_sqlite() -> Exception:
    cause = sqlite3.OperationalError("database or disk is full")
    return sqlalchemy.exc.OperationalError("INSERT INTO event_logs VALUES (?)", ("secret",), cause)


@pytest.mark.parametrize(
    "error",
    [
        NO_SPACE,
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        behind(NO_SPACE),
        of_sqlite(),
        duckdb.IOException('Could not write all bytes to file "x": No space left on device'),
        FullDiskError(
            "The file system of /x is full (0 MB free now): make room; then run it again."
        ),
    ],
)
def test_a_step_with_a_full_disk_is_not_retried(error: Exception, home: Path) -> None:
    @final_when_interrupted
    def body() -> None:
        raise error

    with pytest.raises(PermanentFailure) as failure:
        body()
    assert not failure.value.allow_retries
    expected = Path("/x") if isinstance(error, FullDiskError) else home.parent
    text = str(failure.value.description)
    assert is_the_sentence(text, expected) or text == str(error)
    assert "\n" not in _sentence(error)
    assert "INSERT" not in _sentence(error)


def test_the_file_of_an_error_decides_the_file_system(home: Path) -> None:
    other = home.parent / "other"
    other.mkdir()
    error = OSError(errno.ENOSPC, "No space left on device", str(other / "file"))
    assert _sentence(error).startswith(f"The file system of {other} is full (1,000,000 MB free")


def test_an_ambiguous_error_of_sqlite_is_a_full_disk_only_without_free_space(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's errors when it cannot create its files beside the database."""
    for message in ("disk I/O error", "unable to open database file"):
        error = sqlite3.OperationalError(message)
        assert full_disk.message_of(error) is None
        with monkeypatch.context() as patch:
            patch.setattr(full_disk, "_free_bytes", lambda _: 0)
            assert "(0 MB free now)" in str(full_disk.message_of(error))


def test_other_errors_are_not_a_full_disk() -> None:
    error = OSError(errno.EIO, os.strerror(errno.EIO))
    assert full_disk.message_of(error) is None

    @final_when_interrupted
    def body() -> None:
        raise error

    with pytest.raises(OSError, match="Input/output"):
        body()


def test_dbt_and_duckdb_on_a_full_disk(home: Path) -> None:
    failure = failure_of(
        "Runtime Error in model x (models/x.sql)\n  IO Error: No space left on device"
    )
    assert isinstance(failure, PermanentFailure)
    assert is_the_sentence(str(failure.description), home.parent)
    with (
        pytest.raises(WarehouseRejectedError) as refusal,
        DuckDBWarehouse(home.parent / "x").transaction(),
    ):
        raise duckdb.IOException("Could not write file: No space left on device")
    assert is_the_sentence(str(refusal.value), home.parent)


def test_the_local_s3_and_a_stand_in_on_a_full_disk(home: Path) -> None:
    answer = {"Error": {"Code": "InternalError", "Message": "x: no space left on device"}}
    resource = S3Resource(settings=RunSettings())
    with (
        pytest.raises(PermanentFailure) as failure,
        resource._translated_errors("write s3://bucket/key"),
    ):
        raise ClientError(answer, "PutObject")
    assert is_the_sentence(str(failure.value.description), home.parent)

    relayed = f'{{"message": "{full_disk.message_of(NO_SPACE)}"}}'
    request = SimpleNamespace(method="POST")
    stand_in: Any = SimpleNamespace(status_code=507, text=relayed, url="http://x", request=request)
    with pytest.raises(PermanentFailure) as failure:
        raise_for_status("Airbyte", stand_in)
    assert is_the_sentence(str(failure.value.description), home.parent)
    # A remote service has its own disk.
    theirs: Any = SimpleNamespace(
        status_code=403, text="No space left on device", url="http://x", request=request
    )
    with pytest.raises(PermanentFailure, match="Airbyte answered 403"):
        raise_for_status("Airbyte", theirs)


def test_events_that_cannot_be_stored_show_no_sql(tmp_path: Path) -> None:
    storage = OpenSqliteEventLogStorage(str(tmp_path))
    with pytest.raises(FullDiskError) as full, storage.index_connection():
        raise of_sqlite()
    assert is_the_sentence(str(full.value), tmp_path)
    with pytest.raises(sqlalchemy.exc.OperationalError), storage.index_connection():
        raise sqlalchemy.exc.OperationalError("select", (), sqlite3.OperationalError("locked"))
    storage.dispose()


def refuse_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise NO_SPACE

    monkeypatch.setattr(os, "fsync", full)


def test_a_state_file_that_cannot_be_written_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "airbyte.json"
    write_json(path, [])
    with monkeypatch.context() as patch:
        refuse_to_write(patch)
        jobs = JobStore(path, _never)
        with pytest.raises(OSError, match="No space"):
            write_json(path, [1])
    assert jobs.newest_first() == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["airbyte.json"]
    assert path.read_text() == "[]"


def _never() -> Any:
    raise AssertionError


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_log_without_room_is_no_error() -> None:
    with lossy_file(Path("/dev/full")) as log:
        log.write("x" * 100_000)
