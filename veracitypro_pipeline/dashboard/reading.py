"""How the pages ask the warehouse: one short session per query, answers kept for a short while.

A page never keeps a DuckDB file open, so that a nightly run which wants to write it waits for
milliseconds at most.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import streamlit as st

from veracitypro_pipeline.monitoring.status import Status, read_status
from veracitypro_pipeline.resources.warehouse_engine import open_warehouse
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Answer, Statement

# A night changes the tables once; a minute is soon enough for who waits for its end.
KEPT_SECONDS: Final = 60.0
# Who looks at a page is told soon that a run holds the DuckDB file.
PATIENCE_SECONDS: Final = 1.5


def rows(statement: Statement) -> list[dict[str, Any]]:
    """Rows by column name in lower case; decimals as floats, for tables and charts.

    Raises:
        WarehouseUnavailable, WarehouseRefusal, SettingsError: see `open_warehouse`.
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
    # With the pipeline's role: those who read MART need not see MONITORING.
    warehouse = open_warehouse(
        Settings.load(), {"app": "vp dashboard"}, patience_seconds=PATIENCE_SECONDS
    )
    return warehouse.query(sql, values or None)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
