"""Event storage of a home's Dagster instance: Dagster's SQLite files, with connections kept open.

Dagster's storage opens and closes a database several times per event, and each close checkpoints
the write-ahead log and waits for the disk. A night has some 800 events. With open connections they
take a quarter of the processor time and hardly any waiting. The files are the same, and both
storages can use them at the same time.

A killed process loses no event. A power failure can lose the last events, but never corrupts the
database (`synchronous` is NORMAL, as SQLite recommends in WAL mode).
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import dagster as dg
import sqlalchemy
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.full_disk import FullDiskError

# The folder of Dagster's own storage, below its home.
_FOLDER: Final = Path("history") / "runs"
_INDEX: Final = "index"
# The index and the runs in progress. A page that reads many runs must not keep all of them open.
_KEPT_OPEN: Final = 4


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _wait_for_others(connection: Any, _record: object) -> None:
    """Dagster (1.13.27) sets this timeout for events only; the database of runs would wait 5 s."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"pragma busy_timeout = {SQLITE_BUSY_TIMEOUT_SECONDS * 1000}")


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """The class for `event_log_storage` in `dagster.yaml`; `base_dir` is Dagster's home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sqlalchemy.Engine] = {}
        self._lock = threading.Lock()
        self._tables: set[str] = set()
        super().__init__(str(Path(base_dir) / _FOLDER), inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "OpenSqliteEventLogStorage":
        return cls(config_value["base_dir"], inst_data)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Any]:
        assert run_id is not None
        return self._transaction(run_id)

    def index_connection(self) -> AbstractContextManager[Any]:
        return self._transaction(_INDEX)

    def store_event(self, event: dg.EventLogEntry) -> None:
        super().store_event(event)
        # Live views of a run watch its file, but an open database writes to its log beside it.
        os.utime(self.path_for_shard(event.run_id))

    def has_table(self, table_name: str) -> bool:
        """Cached, because Dagster calls it before it stores each check; tables are never
        dropped."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def wipe(self) -> None:
        self._close(list(self._engines))
        super().wipe()

    def dispose(self) -> None:
        self._close(list(self._engines))
        super().dispose()

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        try:
            with self._lock, self._engine(shard).begin() as connection:
                yield connection
        except sqlalchemy.exc.OperationalError as error:
            # Dagster would print this error with the statement and its parameters.
            if (full := full_disk.message_of(error)) is not None:
                raise FullDiskError(full) from error
            raise

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        if shard not in self._engines:
            with super().run_connection(shard):
                pass  # Dagster creates the database if it is new.
            others = [name for name in self._engines if name != _INDEX]
            self._close(others[: max(0, len(self._engines) + 1 - _KEPT_OPEN)])
            self._engines[shard] = _kept_open(self.conn_string_for_shard(shard))
        return self._engines[shard]

    def _close(self, shards: list[str]) -> None:
        for shard in shards:
            self._engines.pop(shard).dispose()


def _kept_open(address: str) -> sqlalchemy.Engine:
    """An engine with one connection, which threads use in turn under the storage's lock."""
    engine = sqlalchemy.create_engine(
        address,
        poolclass=sqlalchemy.pool.StaticPool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    with engine.connect() as connection:
        connection.exec_driver_sql("pragma synchronous = normal")
    return engine
