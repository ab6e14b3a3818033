"""What a warehouse can do, whatever engine it is.

No Dagster here, so that `vp sql` starts at once.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from veracitypro_pipeline.statement import Answer, Rows, Statement


class WarehouseUnavailable(RuntimeError):
    """The warehouse does not answer, or is in use: time may heal that."""


class WarehouseRefusal(RuntimeError):
    """The warehouse refuses a sign-in or a statement: the same one will be refused again."""


class WarehouseMissing(WarehouseRefusal):
    """There is no warehouse yet."""


class Transaction(Protocol):
    """Statements that count together or not at all."""

    def run(self, statement: Statement) -> None:
        """Run a statement."""

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows as the statements before have left them."""


class Reading(Protocol):
    """A session, or what opens one for each question."""

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one statement that reads; any other is refused."""


class ReadableWarehouse(Protocol):
    """What an app needs that only shows."""

    def reading(self) -> AbstractContextManager[Reading]:
        """One session for several questions, until the block ends.

        Raises:
            WarehouseUnavailable, WarehouseRefusal: with a sentence; of a question by the end of
                the block at the latest.
        """


class Warehouse(Reading, ReadableWarehouse, Protocol):
    """Queries and transactions. Sessions run in UTC.

    Every method raises WarehouseUnavailable or WarehouseRefusal, with a sentence.
    """

    def read(self, sql: str, *, first: int | None = None) -> AbstractContextManager[Rows]:
        """Rows of one statement that reads, however many, for as long as the block lasts.

        `first` limits the rows, not their count. A statement that takes too long is ended, so that
        nobody else waits for the warehouse because of it.
        """

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Rows of each table, and view if asked; names in lower case unless they are quoted."""

    def content_hashes(self, schema: str) -> dict[str, str]:
        """A hash over the rows of each table and view, whatever their order; names as above.

        Equal hashes of one engine mean equal rows; those of two engines do not compare.
        """

    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> AbstractContextManager[Transaction]:
        """A transaction that ends with the block: kept, or, after an exception, undone.

        `before` runs first and by itself: an engine may end a transaction at a DDL statement.
        `relations` are Arrow readers that the statements may name as tables, where the engine runs
        in this process.
        """

    def usage(self, run_id: str) -> dict[str, float]:
        """What the statements tagged with a run have cost so far; empty where nothing is metered.

        Seconds are elapsed ones, bytes those scanned.
        """


def refuse_unless_one(statements: int) -> None:
    """What people ask is one statement: of several, only the last one's rows would be seen.

    Raises:
        WarehouseRefusal: it is none, or more than one.
    """
    if statements == 0:
        raise WarehouseRefusal("It holds no statement.")
    if statements > 1:
        raise WarehouseRefusal(f"It holds {statements} statements: ask one at a time.")


def folded(name: str) -> str:
    """An identifier as SQL writes it: engines keep one that is not quoted in upper case."""
    return name.lower() if name == name.upper() else name


# Of a schema, by name.
_RELATIONS: Final = """
select table_name
from information_schema.tables
where upper(table_schema) = upper($schema) and table_type in ($kinds)
order by table_name
"""


def relations_of(schema: str, *, has_views: bool = True) -> Statement:
    """A question for the names of tables, and of views if asked."""
    kinds = ["BASE TABLE", "VIEW"] if has_views else ["BASE TABLE"]
    return Statement(_RELATIONS, {"schema": schema, "kinds": kinds})


def of_each(schema: str, names: Sequence[str], figure: str) -> str:
    """A query of one row: a figure of each `relation`, e.g. `count(*)`.

    Names come from the catalogue; they are quoted all the same, because anybody can make a table.
    """
    figures = (
        f"(select {figure} from {schema}.{_quoted(name)} as relation)"  # noqa: S608 - quoted
        for name in names
    )
    return f"select {', '.join(figures)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
