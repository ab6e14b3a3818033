"""Which warehouse the settings name.

No Dagster here, and no engine before it is needed, so that `vp sql` starts at once.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from veracitypro_pipeline.resources.warehouse.protocol import Warehouse
from veracitypro_pipeline.settings import Settings

Engine = Literal["duckdb", "snowflake"]


def engine_of(settings: Settings) -> Engine:
    """DuckDB on one's own machine, Snowflake elsewhere."""
    return "duckdb" if settings.environment == "local" else "snowflake"


def warehouse_name(settings: Settings) -> str:
    """Which warehouse the settings name, for people."""
    if engine_of(settings) == "duckdb":
        return f"DuckDB, {settings.warehouse_path}"
    return (
        f"Snowflake, account {settings.snowflake_account}, database {settings.snowflake_database}"
    )


def open_warehouse(
    settings: Settings,
    tag: Mapping[str, str | None] | None = None,
    *,
    is_reader: bool = False,
    patience_seconds: float | None = None,
    say: Callable[[str], object] | None = None,
) -> Warehouse:
    """The warehouse of the settings. Nothing is connected before it is asked something.

    `tag` says on whose behalf statements run, where the engine keeps that. A reader signs in with a
    role that cannot write. `patience_seconds` is how long to wait where one process at a time can
    use the warehouse; None is as long as a step may. `say` is told of such a wait.

    Raises:
        SettingsError: a setting that the engine needs is missing.
    """
    if engine_of(settings) == "duckdb":
        from veracitypro_pipeline.resources.warehouse.on_duckdb import (
            LOCK_WAIT_SECONDS,
            DuckDBWarehouse,
        )

        return DuckDBWarehouse(
            settings.warehouse_path,
            LOCK_WAIT_SECONDS if patience_seconds is None else patience_seconds,
            say=say,
        )
    from veracitypro_pipeline.resources.warehouse.on_snowflake import SnowflakeWarehouse

    return SnowflakeWarehouse.of(settings, tag or {}, is_reader=is_reader)
