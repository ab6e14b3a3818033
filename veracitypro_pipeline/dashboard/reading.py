"""Runs the queries of the pages: one session per page, answers cached for a short time.

The session opens with the first query of a page and ends with the page. So a page holds the DuckDB
file for a fraction of a second, which is how long a nightly run may have to wait for it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import streamlit as st

from veracitypro_pipeline.monitoring.status import Status, read_status
from veracitypro_pipeline.resources.warehouse.factory import open_warehouse
from veracitypro_pipeline.resources.warehouse.protocol import ReadableWarehouse, Reading
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Answer, Statement

# Tables change once a night, so a delay of a minute is acceptable.
CACHE_SECONDS: Final = 60.0
# The longest wait for a DuckDB file that a run holds, before the page shows a message.
PATIENCE_SECONDS: Final = 1.5


def warehouse_of_settings() -> ReadableWarehouse:
    """The warehouse of the settings, with the role of readers, which can read MONITORING and MART.

    Raises:
        SettingsError: see `open_warehouse`.
    """
    return open_warehouse(
        Settings.load(),
        {"app": "vp dashboard"},
        is_reader=True,
        patience_seconds=PATIENCE_SECONDS,
    )


_open_warehouse: Callable[[], ReadableWarehouse] = warehouse_of_settings
# The session of the page that this thread builds.
_session: ContextVar[Callable[[], Reading]] = ContextVar("_session")


def read_from(opener: Callable[[], ReadableWarehouse]) -> None:
    """Use another warehouse than that of the settings, as the app inside Snowflake does.

    It is set for the whole process, because all pages share the cache.
    """
    global _open_warehouse
    _open_warehouse = opener


@contextmanager
def one_session() -> Iterator[None]:
    """Run all queries of this context in one session, which opens with the first query.

    Raises:
        WarehouseUnavailableError, WarehouseRejectedError, SettingsError: as
            `warehouse_of_settings`.
    """
    with ExitStack() as stack:
        token = _session.set(cache(lambda: stack.enter_context(_open_warehouse().reading())))
        try:
            yield
        finally:
            _session.reset(token)


def rows(statement: Statement) -> list[dict[str, Any]]:
    """Rows by column name in lower case; decimals as floats, for tables and charts.

    Call it within `one_session`, which documents the errors.
    """
    columns, found = _query(statement.sql, dict(statement.values))
    names = [column.lower() for column in columns]
    return [dict(zip(names, map(_number, row), strict=True)) for row in found]


def status() -> Status | None:
    """The state of the pipeline as in `vp status`; None if no run has been recorded."""
    return read_status(_query, Settings.load().day_due(datetime.now(UTC)))


def clear_cache() -> None:
    """Clear the cache."""
    _query.clear()


@st.cache_data(ttl=CACHE_SECONDS, max_entries=300, show_spinner=False)
def _query(sql: str, values: Mapping[str, Any]) -> Answer:
    return _session.get()().query(sql, values or None)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
