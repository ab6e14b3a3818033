"""How the pages ask the warehouse: one session for a page, answers kept for a short while.

The session is opened when a page has something to ask and ends with the page. A DuckDB file is then
held for the part of a second in which a page is put together, and a nightly run that wants to write
it waits that long.
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

# A night changes the tables once; a minute is soon enough for who waits for its end.
KEPT_SECONDS: Final = 60.0
# Who looks at a page is told soon that a run holds the DuckDB file.
PATIENCE_SECONDS: Final = 1.5


def warehouse_of_settings() -> ReadableWarehouse:
    """With the role of readers, which sees MONITORING as well as MART.

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
# Of the page that this thread puts together.
_session: ContextVar[Callable[[], Reading]] = ContextVar("_session")


def read_from(opener: Callable[[], ReadableWarehouse]) -> None:
    """Ask another warehouse than that of the settings, as an app inside Snowflake does.

    It is one for the whole process, whose readers share the answers that are kept.
    """
    global _open_warehouse
    _open_warehouse = opener


@contextmanager
def one_session() -> Iterator[None]:
    """What is asked within is asked in one session, which is opened for the first question.

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

    Within `one_session`, which says what is raised.
    """
    columns, found = _ask(statement.sql, dict(statement.values))
    names = [column.lower() for column in columns]
    return [dict(zip(names, map(_number, row), strict=True)) for row in found]


def status() -> Status | None:
    """How things stand, as `vp status` says it; None if no run has ever been recorded."""
    return read_status(_ask, Settings.load().day_due(datetime.now(UTC)))


def forget() -> None:
    """Ask again, whatever has been kept."""
    _ask.clear()


@st.cache_data(ttl=KEPT_SECONDS, max_entries=300, show_spinner=False)
def _ask(sql: str, values: Mapping[str, Any]) -> Answer:
    return _session.get()().query(sql, values or None)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
