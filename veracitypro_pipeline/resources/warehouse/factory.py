"""Opens the warehouse of the settings.

Does not import Dagster, and imports an engine only when it is used, so that `vp sql` starts fast.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from veracitypro_pipeline.resources.warehouse.protocol import Warehouse
from veracitypro_pipeline.settings import Settings

Engine = Literal["duckdb", "snowflake"]


def engine_of(settings: Settings) -> Engine:
    """DuckDB in `local`, Snowflake in `dev` and `prod`."""
    return "duckdb" if settings.environment == "local" else "snowflake"


def warehouse_name(settings: Settings) -> str:
    """A description of the warehouse, for people."""
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
    """The warehouse of the settings. It connects at the first statement.

    `tag` names the run and step behind the statements, on Snowflake as the query tag. `is_reader`
    signs in with a role that cannot write. `patience_seconds` is how long to wait for the DuckDB
    file while another process uses it; None waits as long as a step may. `say` gets a message
    about such a wait.

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
