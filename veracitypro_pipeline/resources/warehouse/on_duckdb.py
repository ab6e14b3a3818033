"""The warehouse of `local`: one DuckDB file with the schema names of Snowflake.

Does not import Dagster, so that `vp sql` starts fast. While one process writes a DuckDB file, no
other can open it; the others wait their turn (`duckdb_turn.py`).
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.home import FOLDER_MODE
from veracitypro_pipeline.resources.warehouse.duckdb_catalogue import as_query_of_catalogue
from veracitypro_pipeline.resources.warehouse.duckdb_turn import Gate
from veracitypro_pipeline.resources.warehouse.protocol import (
    Reading,
    WarehouseMissingError,
    WarehouseRejectedError,
    WarehouseUnavailableError,
    folded,
    of_each,
    relations_of,
    require_one_statement,
)
from veracitypro_pipeline.statement import Answer, Rows, Statement, named

if TYPE_CHECKING:
    import pyarrow as pa

LOCK_WAIT_SECONDS: Final = 60.0
LOCK_POLL_SECONDS: Final = 0.1
# A shorter wait is not reported.
_NOTABLE_WAIT_SECONDS: Final = 0.5
# The limit of a person's query. dbt gives up after 31 s without the file (profiles.yml).
READ_SECONDS: Final = 25.0
# Rows are held in memory, so that the file is free while they are printed.
_ANSWER_BYTES: Final = 1_000_000_000
_BATCH_ROWS: Final = 10_000
# In DuckDB's message about a file in use: `held in /usr/bin/python3.11 (PID 4711)`.
_HOLDER: Final = re.compile(r"held in (.+? \(PID \d+\))")
# In DuckDB's message about a block whose content has changed on disk.
_DAMAGE: Final = re.compile(r"corrupt|checksum", re.IGNORECASE)


class WarehouseBusyError(WarehouseUnavailableError):
    """Another process held the file for the whole wait."""


@dataclass(frozen=True)
class DuckDBTransaction:
    """An open transaction on a connection."""

    connection: duckdb.DuckDBPyConnection

    def run(self, statement: Statement) -> None:
        sql, values = named(statement)
        self.connection.execute(sql, dict(values) or None)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        text, bound = named(Statement(sql, values)) if values else (sql, None)
        cursor = self.connection.execute(text, bound)
        if cursor is None:
            raise WarehouseRejectedError("There is no statement.")
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())


@dataclass(frozen=True)
class DuckDBWarehouse:
    """Queries and transactions on the file at `path`. Sessions run in UTC."""

    path: Path
    lock_wait_seconds: float = LOCK_WAIT_SECONDS
    read_seconds: float = READ_SECONDS
    say: Callable[[str], object] | None = field(default=None, compare=False)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one read-only statement.

        Raises:
            WarehouseMissingError: no run has created the file yet.
            WarehouseBusyError: the file stayed in use for `lock_wait_seconds`.
            WarehouseRejectedError: the statement is wrong or would write.
        """
        with self.reading() as session:
            return session.query(sql, values)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One session for several queries; no run can write until it ends. Raises as `query`."""
        with self._reading() as connection:
            yield DuckDBTransaction(connection)

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.path.exists():
            raise WarehouseMissingError(
                f"There is no warehouse at {self.path} yet: `vp run` creates it."
            )
        with self._open(read_only=True) as connection:
            yield connection

    @contextmanager
    def read(self, sql: str, *, first: int | None = None) -> Iterator[Rows]:
        """Rows of one read-only statement; the file is closed again when they are yielded.

        `show` and `describe` list all schemas.

        Raises:
            WarehouseMissingError, WarehouseBusyError: as `query`.
            WarehouseRejectedError: as `query`; or `sql` is not exactly one statement, takes longer
                than `read_seconds`, or returns more than `_ANSWER_BYTES`.
        """
        query = as_query_of_catalogue(sql)
        try:
            require_one_statement(len(duckdb.extract_statements(query)))
        except duckdb.Error as error:
            raise WarehouseRejectedError(f"DuckDB rejects a statement: {error}") from error
        with self._reading() as connection, self._limited(connection):
            relation = connection.sql(query)
            columns = list(relation.columns) if relation is not None else []
            batches, total, size = [], 0, 0
            for batch in relation.to_arrow_reader(_BATCH_ROWS) if relation is not None else ():
                if first is None or total < first:
                    batches.append(batch)
                    size += batch.nbytes
                total += batch.num_rows
                if size > _ANSWER_BYTES:
                    raise WarehouseRejectedError(
                        f"The result is larger than {_ANSWER_BYTES:,} bytes: select fewer rows or"
                        " columns."
                    )
        yield Rows(columns, islice(_rows_of(batches), first), total)

    @contextmanager
    def _limited(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt the connection after `read_seconds`.

        Raises:
            WarehouseRejectedError: it was interrupted.
        """
        timer = threading.Timer(self.read_seconds, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise WarehouseRejectedError(
                f"It takes longer than {self.read_seconds:.0f} s, and no run can write meanwhile:"
                " select less, or query a copy of the file."
            ) from error
        finally:
            timer.cancel()

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Row count of each table and view of a schema, by name. Raises as `query` does."""
        names = [row[0] for row in self.query(*relations_of(schema, has_views=has_views)).rows]
        if not names:
            return {}
        counts = self.query(of_each(schema, names, "count(*)")).rows[0]
        return dict(zip(map(folded, names), counts, strict=True))

    def content_hashes(self, schema: str) -> dict[str, str]:
        """An order-independent hash of the rows of each table and view; reads them all."""
        names = [row[0] for row in self.query(*relations_of(schema)).rows]
        if not names:
            return {}
        # A sum and not an XOR: in an XOR a row that is there twice would cancel itself.
        hashes = self.query(of_each(schema, names, "sum(hash(relation))")).rows[0]
        return dict(zip(map(folded, names), map(str, hashes), strict=True))

    @contextmanager
    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> Iterator[DuckDBTransaction]:
        """A transaction: committed at the end of the block, rolled back after an exception.

        `relations` are Arrow readers that statements can read as tables.

        Raises:
            WarehouseBusyError: the file stayed in use for `lock_wait_seconds`.
            WarehouseRejectedError: a statement is wrong; nothing was changed.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        with self._open(read_only=False) as connection:
            for name, relation in (relations or {}).items():
                connection.register(name, relation)
            transaction = DuckDBTransaction(connection)
            for statement in before:
                transaction.run(statement)
            connection.begin()
            try:
                yield transaction
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def usage(self, run_id: str) -> dict[str, float]:  # noqa: ARG002 - DuckDB meters nothing
        return {}

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file when no other process prevents it.

        Raises:
            WarehouseBusyError: the file stayed in use for `lock_wait_seconds`.
            WarehouseRejectedError: DuckDB rejects a statement, or cannot open the file.
        """
        connection = self._connection(read_only=read_only)
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        except duckdb.Error as error:
            raise WarehouseRejectedError(_sentence_about(self.path, error)) from error
        finally:
            connection.close()

    def _connection(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        began, is_told = time.monotonic(), False
        with closing(Gate(self.path.parent, is_writer=not read_only)) as gate:
            while True:
                holder = "another process, which waits to write"
                if gate.try_to_take():
                    try:
                        return self._connect(read_only=read_only)
                    except duckdb.Error as error:
                        is_in_use = isinstance(error, duckdb.IOException)
                        if not (is_in_use and "lock" in str(error).lower()):
                            raise WarehouseRejectedError(
                                _sentence_about(self.path, error, f"DuckDB cannot open {self.path}")
                            ) from error
                        holder = _holder(error)
                    gate.let_others_pass()
                waited = time.monotonic() - began
                if waited > self.lock_wait_seconds:
                    raise WarehouseBusyError(
                        f"The warehouse {self.path} has been in use by {holder} for"
                        f" {self.lock_wait_seconds:.0f} s: wait until that is done, then try again."
                    )
                if self.say is not None and not is_told and waited > _NOTABLE_WAIT_SECONDS:
                    is_told = True
                    self.say(
                        f"Waiting up to {self.lock_wait_seconds:.0f} s for the warehouse"
                        f" {self.path}, which {holder} is using. A run keeps it while it"
                        " loads or builds, a few seconds each time."
                    )
                time.sleep(LOCK_POLL_SECONDS)

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(
            str(self.path),
            read_only=read_only,
            # Keeps a reader's COPY and read_csv from other files.
            config={"enable_external_access": not read_only},
        )


def _sentence_about(
    path: Path, error: duckdb.Error, rejected: str = "DuckDB rejects a statement"
) -> str:
    """The error message, which names a full or damaged disk if that is the cause."""
    if (full := full_disk.message_in(str(error))) is not None:
        return full
    if _DAMAGE.search(str(error)):
        return (
            f"The warehouse file {path} is damaged ({' '.join(str(error).split())}): put a copy of"
            " it back and run `vp backfill` for the days since; without a copy, move it away and"
            " run `vp backfill` for all days, which rebuilds it from S3."
        )
    return f"{rejected}: {error}"


def _holder(error: duckdb.Error) -> str:
    """The process that has the file open, as DuckDB names it."""
    found = _HOLDER.search(str(error))
    return found.group(1) if found else "another process"


def _rows_of(batches: "Sequence[pa.RecordBatch]") -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*map(_values, batch.columns), strict=True)


def _values(column: "pa.Array[Any]") -> list[Any]:
    """The values as DuckDB's own `fetchall` returns them."""
    import pyarrow as pa

    values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    if pa.types.is_interval(column.type):
        return [value if value is None else _interval(*value) for value in values]
    return values


def _interval(months: int, days: int, nanoseconds: int) -> timedelta:
    return timedelta(days=months * 30 + days, microseconds=nanoseconds // 1000)
