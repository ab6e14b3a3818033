"""What both warehouses can do: protocols, errors and helpers for their SQL.

Does not import Dagster, so that `vp sql` starts fast.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from veracitypro_pipeline.statement import Answer, Rows, Statement


class WarehouseUnavailableError(RuntimeError):
    """The warehouse does not answer, or is in use. A retry may help."""


class WarehouseRejectedError(RuntimeError):
    """The warehouse rejects a sign-in or a statement. A retry does not help."""


class WarehouseMissingError(WarehouseRejectedError):
    """There is no warehouse yet."""


class Transaction(Protocol):
    """An open transaction."""

    def run(self, statement: Statement) -> None:
        """Run a statement."""

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of a query, which sees the effects of earlier statements."""


class Reading(Protocol):
    """A session for queries, or an object that opens one for each query."""

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one statement that reads; a statement that writes is rejected."""


class ReadableWarehouse(Protocol):
    """The part of a warehouse that a read-only app needs."""

    def reading(self) -> AbstractContextManager[Reading]:
        """One session for several queries, until the block ends.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: with a sentence, at the query or at
                the end of the block.
        """


class Warehouse(Reading, ReadableWarehouse, Protocol):
    """Queries and transactions. Sessions run in UTC.

    Every method raises WarehouseUnavailableError or WarehouseRejectedError, with a sentence.
    """

    def read(self, sql: str, *, first: int | None = None) -> AbstractContextManager[Rows]:
        """Rows of one statement that reads; they can be iterated until the block ends.

        `first` limits the rows, not their count. A statement that takes too long is cancelled, so
        that it does not block other users of the warehouse.
        """

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Row count of each table and, with `has_views`, each view of a schema, by name.

        Names are in lower case unless they are quoted identifiers.
        """

    def content_hashes(self, schema: str) -> dict[str, str]:
        """An order-independent hash of the rows of each table and view, by name as above.

        On one engine, equal hashes mean equal rows; the hashes of two engines differ.
        """

    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Transaction]:
        """A transaction: committed at the end of the block, rolled back after an exception.

        `before` runs before the transaction begins: Snowflake commits one at a DDL statement.
        `relations` are Arrow readers that statements can read as tables, on DuckDB only.
        """

    def usage(self, run_id: str) -> dict[str, float]:
        """The cost so far of the statements tagged with a run; empty on DuckDB.

        Seconds elapsed, bytes scanned, credits.
        """


def require_one_statement(statements: int) -> None:
    """Require exactly one statement: of several, only the last one's rows would be shown.

    Raises:
        WarehouseRejectedError: there is none, or more than one.
    """
    if statements == 0:
        raise WarehouseRejectedError("There is no statement.")
    if statements > 1:
        raise WarehouseRejectedError(f"There are {statements} statements: run one at a time.")


def folded(name: str) -> str:
    """An identifier in lower case, unless it is a quoted one.

    Snowflake stores an unquoted identifier in upper case.
    """
    return name.lower() if name == name.upper() else name


_RELATIONS: Final = """
select table_name
from information_schema.tables
where upper(table_schema) = upper($schema) and table_type in ($kinds)
order by table_name
"""


def relations_of(schema: str, *, has_views: bool = True) -> Statement:
    """A query for the names of the tables of a schema and, with `has_views`, of its views."""
    kinds = ["BASE TABLE", "VIEW"] if has_views else ["BASE TABLE"]
    return Statement(_RELATIONS, {"schema": schema, "kinds": kinds})


def of_each(schema: str, names: Sequence[str], figure: str) -> str:
    """A query of one row: `figure`, e.g. `count(*)`, of each `relation`, in the order of names.

    Names come from the catalogue; they are quoted, because any user can create a table.
    """
    figures = (
        f"(select {figure} from {schema}.{_quoted(name)} as relation)"  # noqa: S608 - quoted
        for name in names
    )
    return f"select {', '.join(figures)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
