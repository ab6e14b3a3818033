"""The embedded warehouse: one DuckDB file with the schema names of Snowflake.

No Dagster here, so that `vp sql` starts at once. DuckDB lets one process write a file and keeps all
others out meanwhile; a process that comes second waits for its turn (`duckdb_turn.py`).
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
    WarehouseMissing,
    WarehouseRefusal,
    WarehouseUnavailable,
    folded,
    of_each,
    refuse_unless_one,
    relations_of,
)
from veracitypro_pipeline.statement import Answer, Rows, Statement, named

if TYPE_CHECKING:
    import pyarrow as pa

LOCK_WAIT_SECONDS: Final = 60.0
LOCK_POLL_SECONDS: Final = 0.1
# A wait that is worth a word.
_NOTABLE_WAIT_SECONDS: Final = 0.5
# What one question of a person may take. dbt gives up after 31 s without the file (profiles.yml).
READ_SECONDS: Final = 25.0
# An answer is held in memory, so that the file is free while it is printed or looked at.
_ANSWER_BYTES: Final = 1_000_000_000
_BATCH_ROWS: Final = 10_000
# Of DuckDB's message about a file in use, e.g. `held in /usr/bin/python3.11 (PID 4711)`.
_HOLDER: Final = re.compile(r"held in (.+? \(PID \d+\))")


# Of a block that the disk gave back otherwise than it was written.
_DAMAGE: Final = re.compile(r"corrupt|checksum", re.IGNORECASE)


class WarehouseBusy(WarehouseUnavailable):
    """Another process kept the file locked for the whole wait."""


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
            raise WarehouseRefusal("It holds no statement.")
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())


@dataclass(frozen=True)
class DuckDBWarehouse:
    """Queries and transactions on the file at `path`. Sessions run in UTC."""

    path: Path
    lock_wait_seconds: float = LOCK_WAIT_SECONDS
    read_seconds: float = READ_SECONDS
    say: Callable[[str], object] | None = field(default=None, compare=False)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Run one read-only statement.

        Raises:
            WarehouseMissing: no run has made the file yet. WarehouseBusy: see `_open`.
            WarehouseRefusal: the statement is wrong or would write.
        """
        with self.reading() as session:
            return session.query(sql, values)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One session for several questions; meanwhile no run can write. Raises as `query` does."""
        with self._reading() as connection:
            yield DuckDBTransaction(connection)

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if not self.path.exists():
            raise WarehouseMissing(f"There is no warehouse at {self.path} yet: `vp run` makes it.")
        with self._open(read_only=True) as connection:
            yield connection

    @contextmanager
    def read(self, sql: str, *, first: int | None = None) -> Iterator[Rows]:
        """Rows of one read-only statement; no file is open any more when they are given.

        `show` and `describe` see all schemas.

        Raises:
            WarehouseMissing, WarehouseBusy: as `query`.
            WarehouseRefusal: as `query`, and a statement that is not one, takes longer than
                `read_seconds`, or answers with more than `_ANSWER_BYTES`.
        """
        query = as_query_of_catalogue(sql)
        try:
            refuse_unless_one(len(duckdb.extract_statements(query)))
        except duckdb.Error as error:
            raise WarehouseRefusal(f"DuckDB refuses a statement: {error}") from error
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
                    raise WarehouseRefusal(
                        f"The answer is larger than {_ANSWER_BYTES:,} bytes: ask for fewer rows or"
                        " columns."
                    )
        yield Rows(columns, islice(_rows_of(batches), first), total)

    @contextmanager
    def _limited(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """End what the connection is doing after `read_seconds`.

        Raises:
            WarehouseRefusal: it was ended.
        """
        timer = threading.Timer(self.read_seconds, connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise WarehouseRefusal(
                f"It takes longer than {self.read_seconds:.0f} s, in which no run can write: ask"
                " for less, or ask a copy of the file."
            ) from error
        finally:
            timer.cancel()

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Rows of each table and view of a schema, by name; raises as `query` does."""
        names = [row[0] for row in self.query(*relations_of(schema, has_views=has_views)).rows]
        if not names:
            return {}
        counts = self.query(of_each(schema, names, "count(*)")).rows[0]
        return dict(zip(map(folded, names), counts, strict=True))

    def content_hashes(self, schema: str) -> dict[str, str]:
        """A hash over the rows of each table and view, whatever their order; reads them all."""
        names = [row[0] for row in self.query(*relations_of(schema)).rows]
        if not names:
            return {}
        # A sum, because a table may hold the same row twice.
        hashes = self.query(of_each(schema, names, "sum(hash(relation))")).rows[0]
        return dict(zip(map(folded, names), map(str, hashes), strict=True))

    @contextmanager
    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> Iterator[DuckDBTransaction]:
        """Statements of which all count, or none.

        `relations` are Arrow readers that the statements may name as tables.

        Raises:
            WarehouseBusy: see `_open`. WarehouseRefusal: a statement is wrong; nothing was changed.
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

    def usage(self, run_id: str) -> dict[str, float]:  # noqa: ARG002 - nothing is metered here
        return {}

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, waiting for its turn.

        Raises:
            WarehouseBusy: the file stayed in use for `lock_wait_seconds`.
            WarehouseRefusal: DuckDB refuses what is done with the connection.
        """
        connection = self._connection(read_only=read_only)
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        except duckdb.Error as error:
            raise WarehouseRefusal(_said_of(self.path, error)) from error
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
                            raise WarehouseRefusal(
                                _said_of(self.path, error, f"DuckDB cannot open {self.path}")
                            ) from error
                        holder = _holder(error)
                    gate.let_others_pass()
                waited = time.monotonic() - began
                if waited > self.lock_wait_seconds:
                    raise WarehouseBusy(
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
            # A reader has no business with other files, which COPY and read_csv reach.
            config={"enable_external_access": not read_only},
        )


def _said_of(path: Path, error: duckdb.Error, refused: str = "DuckDB refuses a statement") -> str:
    """A full or a faulty disk is no fault of the statement."""
    if (full := full_disk.said_in(str(error))) is not None:
        return full
    if _DAMAGE.search(str(error)):
        return (
            f"The warehouse file {path} is damaged ({' '.join(str(error).split())}): put a copy of"
            " it back and run `vp backfill` for the days since; without a copy, move it away and"
            " run `vp backfill` for all days, which makes it again from what S3 holds."
        )
    return f"{refused}: {error}"


def _holder(error: duckdb.Error) -> str:
    """Which process has the file open, as DuckDB names it."""
    found = _HOLDER.search(str(error))
    return found.group(1) if found else "another process"


def _rows_of(batches: "Sequence[pa.RecordBatch]") -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*map(_values, batch.columns), strict=True)


def _values(column: "pa.Array[Any]") -> list[Any]:
    """The values as DuckDB's own rows have them."""
    import pyarrow as pa

    values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    if pa.types.is_interval(column.type):
        return [value if value is None else _interval(*value) for value in values]
    return values


def _interval(months: int, days: int, nanoseconds: int) -> timedelta:
    return timedelta(days=months * 30 + days, microseconds=nanoseconds // 1000)
