"""The warehouse as a Dagster resource."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.statement import Statement

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.duckdb_warehouse import Answer, DuckDBWarehouse


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where RAW, STG, CORE, MART and MONITORING live. Sessions run in UTC."""

    settings: dg.ResourceDependency[RunSettings]

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> "Answer":
        """Rows of one read-only statement. Raises TransientFailure if the file stays in use."""
        with _explained():
            return self._connect().query(sql, values)

    def row_counts(self, schema: str) -> dict[str, int]:
        """Rows of each table and view of a schema, by name. Raises as `query` does."""
        with _explained():
            return self._connect().row_counts(schema)

    def transact(
        self, statements: Sequence[Statement], relations: Mapping[str, Any] | None = None
    ) -> None:
        """Run statements in one transaction, all or none; see `DuckDBWarehouse.transact`."""
        with _explained():
            self._connect().transact(statements, relations)

    def _connect(self) -> "DuckDBWarehouse":
        from veracitypro_pipeline.resources.duckdb_warehouse import DuckDBWarehouse

        settings = self.settings.get()
        if settings.environment != "local":
            raise PermanentFailure(
                "The load into Snowflake is not part of this release, but VP_ENVIRONMENT is"
                f" {settings.environment}: use local, which runs on DuckDB."
            )
        return DuckDBWarehouse(settings.warehouse_path)


@contextmanager
def _explained() -> Iterator[None]:
    """Say whether a retry can help: it does while another process holds the file."""
    import duckdb

    from veracitypro_pipeline.resources.duckdb_warehouse import WarehouseBusy, WarehouseMissing

    try:
        yield
    except WarehouseBusy as busy:
        raise TransientFailure(str(busy)) from busy
    except WarehouseMissing as missing:
        raise PermanentFailure(str(missing)) from missing
    except duckdb.Error as error:
        raise PermanentFailure(f"DuckDB refuses a statement: {error}") from error
