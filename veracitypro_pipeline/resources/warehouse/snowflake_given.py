"""The warehouse of an app inside Snowflake, which gets a connection instead of signing in.

Such an app has neither key nor user. Streamlit gives it the connection of the app's owner,
`st.connection("snowflake")`. This module imports neither Streamlit nor Snowpark: the caller passes
the connection.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from veracitypro_pipeline.resources.warehouse.on_snowflake import (
    SnowflakeTransaction,
    translated_errors,
)
from veracitypro_pipeline.resources.warehouse.protocol import Reading, WarehouseUnavailableError
from veracitypro_pipeline.resources.warehouse.snowflake_reads import reject_writes
from veracitypro_pipeline.statement import Answer

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class Given(Protocol):
    """The part of Streamlit's connection used here. Threads share it; its paramstyle is `?`."""

    @property
    def raw_connection(self) -> "SnowflakeConnection":
        """The connector's connection; the first access signs in."""

    def reset(self) -> None:
        """Sign in again at the next use."""


@dataclass(frozen=True)
class GivenSnowflake:
    """Queries on the connection that `connect` returns."""

    connect: Callable[[], Given]

    def reading(self) -> AbstractContextManager[Reading]:
        """All queries share the one session of the connection."""
        return nullcontext(self)

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one statement that reads.

        Snowflake ends a session that is idle for hours. So after a transient error the query is
        retried once, in a new session.

        Raises:
            WarehouseUnavailableError, WarehouseRejectedError: as `SnowflakeWarehouse.query`.
        """
        reject_writes(sql)
        try:
            return self._query(sql, values)
        except WarehouseUnavailableError:
            self.connect().reset()
            return self._query(sql, values)

    def _query(self, sql: str, values: Mapping[str, Any] | None) -> Answer:
        with (
            translated_errors("a statement of the app's own session"),
            self.connect().raw_connection.cursor() as cursor,
        ):
            return SnowflakeTransaction(cursor).query(sql, values)
