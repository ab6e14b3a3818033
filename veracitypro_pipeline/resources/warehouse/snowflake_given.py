"""A Snowflake connection that is given and not signed in here: that of an app inside Snowflake.

Such an app has no key and no user of its own; Streamlit hands it the connection of the app's owner,
`st.connection("snowflake")`. Neither Streamlit nor Snowpark is imported here, and none is needed
elsewhere: whoever has the connection brings it along.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeTransaction, explained
from veracitypro_pipeline.resources.warehouse.protocol import Reading, WarehouseUnavailable
from veracitypro_pipeline.resources.warehouse.snowflake_reads import refuse_what_writes
from veracitypro_pipeline.statement import Answer

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class Given(Protocol):
    """What is used of Streamlit's connection: threads share it, and values are bound by `?`."""

    @property
    def raw_connection(self) -> "SnowflakeConnection":
        """The connector's own connection, signed in when it is first asked for."""

    def reset(self) -> None:
        """Sign in anew at the next use."""


@dataclass(frozen=True)
class GivenSnowflake:
    """Queries on a connection of somebody else; `connect` brings it, signed in or not."""

    connect: Callable[[], Given]

    def reading(self) -> AbstractContextManager[Reading]:
        """All questions are asked in the one session that is given."""
        return nullcontext(self)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one statement that reads.

        A session ends after hours in which nobody asked; so what failed for a passing reason is
        asked once more in a new one.

        Raises:
            WarehouseUnavailable, WarehouseRefusal: as those of `SnowflakeWarehouse`.
        """
        refuse_what_writes(sql)
        try:
            return self._ask(sql, values)
        except WarehouseUnavailable:
            self.connect().reset()
            return self._ask(sql, values)

    def _ask(self, sql: str, values: Mapping[str, Any] | None) -> Answer:
        with (
            explained("a statement of the app's own session"),
            self.connect().raw_connection.cursor() as cursor,
        ):
            return SnowflakeTransaction(cursor).query(sql, values)
