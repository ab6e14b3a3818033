"""The embedded warehouse: one DuckDB file with the schema names of Snowflake.

No Dagster here, so that `vp sql` starts at once. DuckDB lets one process write a file and keeps all
others out meanwhile; whoever comes second waits, then is told so.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from veracitypro_pipeline.statement import Statement

LOCK_WAIT_SECONDS: Final = 60.0
LOCK_POLL_SECONDS: Final = 0.1


_RELATIONS_OF_SCHEMA: Final = """
select table_name
from information_schema.tables
where upper(table_schema) = upper($schema)
order by table_name
"""


class WarehouseBusy(RuntimeError):
    """Another process kept the file locked for the whole wait."""


class WarehouseMissing(RuntimeError):
    """There is no warehouse file yet."""


class Answer(NamedTuple):
    """Column names and rows of a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class DuckDBWarehouse:
    """Queries and transactions on the file at `path`. Sessions run in UTC."""

    path: Path
    lock_wait_seconds: float = LOCK_WAIT_SECONDS

    def query(self, sql: str, values: Mapping[str, Any] | Sequence[Any] | None = None) -> Answer:
        """Run one read-only statement.

        Raises:
            WarehouseMissing: no run has made the file yet. WarehouseBusy: see `_open`.
            duckdb.Error: the statement is wrong or would write.
        """
        if not self.path.exists():
            raise WarehouseMissing(f"There is no warehouse at {self.path} yet: `vp run` makes it.")
        with self._open(read_only=True) as connection:
            cursor = connection.execute(sql, values)
            columns = [column[0] for column in cursor.description or []]
            return Answer(columns, cursor.fetchall())

    def row_counts(self, schema: str) -> dict[str, int]:
        """Rows of each table and view of a schema, by name; raises as `query` does."""
        names = [row[0] for row in self.query(_RELATIONS_OF_SCHEMA, {"schema": schema}).rows]
        if not names:
            return {}
        # Names come from the catalogue; quoted all the same, because anybody can make a table.
        counts = ", ".join(
            f"(select count(*) from {_quoted(schema)}.{_quoted(name)})"  # noqa: S608 - quoted
            for name in names
        )
        return dict(zip(names, self.query(f"select {counts}").rows[0], strict=True))

    def transact(
        self, statements: Sequence[Statement], relations: Mapping[str, Any] | None = None
    ) -> None:
        """Run statements in one transaction: all of them count, or none.

        `relations` are Arrow readers that the statements may name as tables.

        Raises:
            WarehouseBusy: see `_open`. duckdb.Error: a statement is wrong; nothing was changed.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open(read_only=False) as connection:
            for name, relation in (relations or {}).items():
                connection.register(name, relation)
            connection.begin()
            try:
                for statement in statements:
                    connection.execute(statement.sql, dict(statement.values) or None)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def _open(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, waiting for another process that holds it.

        Raises:
            WarehouseBusy: the file stayed locked for `lock_wait_seconds`.
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
                    raise
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
        finally:
            connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
