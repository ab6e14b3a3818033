"""The embedded warehouse: one DuckDB file with the schema names of Snowflake.

No Dagster here, so that `vp sql` starts at once. DuckDB lets one process write a file and keeps all
others out meanwhile; whoever comes second waits, then is told so.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from veracitypro_pipeline.home import FOLDER_MODE
from veracitypro_pipeline.resources.warehouse_engine import (
    RELATIONS_OF_SCHEMA,
    Reading,
    WarehouseMissing,
    WarehouseRefusal,
    WarehouseUnavailable,
    folded,
    of_each,
)
from veracitypro_pipeline.statement import Answer, Statement, named

LOCK_WAIT_SECONDS: Final = 60.0
LOCK_POLL_SECONDS: Final = 0.1


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
        if not self.path.exists():
            raise WarehouseMissing(f"There is no warehouse at {self.path} yet: `vp run` makes it.")
        with self._open(read_only=True) as connection:
            yield DuckDBTransaction(connection)

    def row_counts(self, schema: str) -> dict[str, int]:
        """Rows of each table and view of a schema, by name; raises as `query` does."""
        names = [row[0] for row in self.query(RELATIONS_OF_SCHEMA, {"schema": schema}).rows]
        if not names:
            return {}
        counts = self.query(of_each(schema, names, "count(*)")).rows[0]
        return dict(zip(map(folded, names), counts, strict=True))

    def content_hashes(self, schema: str) -> dict[str, str]:
        """A hash over the rows of each table and view, whatever their order; reads them all."""
        names = [row[0] for row in self.query(RELATIONS_OF_SCHEMA, {"schema": schema}).rows]
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
        """Open the file, waiting for another process that holds it.

        Raises:
            WarehouseBusy: the file stayed locked for `lock_wait_seconds`.
            WarehouseRefusal: DuckDB refuses what is done with the connection.
        """
        deadline = time.monotonic() + self.lock_wait_seconds
        while True:
            try:
                connection = duckdb.connect(
                    str(self.path),
                    read_only=read_only,
                    # A reader has no business with other files, which COPY and read_csv reach.
                    config={"enable_external_access": not read_only},
                )
                break
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise WarehouseRefusal(f"DuckDB cannot open {self.path}: {error}") from error
                if time.monotonic() > deadline:
                    raise WarehouseBusy(
                        f"The warehouse {self.path} has been in use by another process for"
                        f" {self.lock_wait_seconds:.0f} s (a run is building it): wait for that"
                        " run to end, then try again."
                    ) from None
                time.sleep(LOCK_POLL_SECONDS)
        try:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
        except duckdb.Error as error:
            raise WarehouseRefusal(f"DuckDB refuses a statement: {error}") from error
        finally:
            connection.close()
