"""The warehouse as a Dagster resource."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg
from dagster import OpExecutionContext

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.warehouse.factory import (
    Engine,
    engine_of,
    open_warehouse,
)
from veracitypro_pipeline.resources.warehouse.protocol import (
    Transaction,
    Warehouse,
    WarehouseRejectedError,
    WarehouseUnavailableError,
)
from veracitypro_pipeline.settings import SettingsError
from veracitypro_pipeline.statement import Answer, Statement

# Marks our statements in Snowflake's query history.
APPLICATION: Final = "veracitypro"
TICK_PATIENCE_SECONDS: Final = 12.0


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The warehouse with RAW, STG, CORE, MART and MONITORING. Sessions run in UTC.

    Every method raises a TransientFailure if the warehouse cannot be reached or is in use, and a
    PermanentFailure if it rejects a statement.
    """

    settings: dg.ResourceDependency[RunSettings]
    # How long a statement waits for the DuckDB file while another process uses it; None waits as
    # long as a step may.
    patience_seconds: float | None = None

    def in_a_tick(self) -> "WarehouseResource":
        """This warehouse for a sensor. Dagster ends a tick after 60 s, so that several statements
        must be able to wait in vain within that time."""
        return WarehouseResource(settings=self.settings, patience_seconds=TICK_PATIENCE_SECONDS)

    @property
    def engine(self) -> Engine:
        """The engine, for code that only one engine needs."""
        return engine_of(self.settings.get())

    @property
    def makes_its_tables(self) -> bool:
        """Whether the pipeline creates its tables; on Snowflake, `vp infra apply` does."""
        return self.engine == "duckdb"

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one read-only statement; see `Warehouse.query`."""
        with _translated_errors():
            return self._open().query(sql, values)

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Row counts of a schema; see `Warehouse.row_counts`."""
        with _translated_errors():
            return self._open().row_counts(schema, has_views=has_views)

    def content_hashes(self, schema: str) -> dict[str, str]:
        """Hashes of the rows of a schema; see `Warehouse.content_hashes`."""
        with _translated_errors():
            return self._open().content_hashes(schema)

    @contextmanager
    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> Iterator[Transaction]:
        """A transaction; see `Warehouse.transaction`."""
        with (
            _translated_errors(),
            self._open().transaction(before=before, relations=relations) as transaction,
        ):
            yield transaction

    def transact(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""
        with self.transaction() as transaction:
            for statement in statements:
                transaction.run(statement)

    def usage(self) -> dict[str, float]:
        """The cost so far of the current run's statements, including dbt's.

        Empty outside of a run and on DuckDB. Empty, with a warning in the log, if the query fails:
        a missing figure must not fail a load.
        """
        run_id = tag_of_step().get("run_id")
        if run_id is None:
            return {}
        try:
            return self._open().usage(run_id)
        except (WarehouseUnavailableError, WarehouseRejectedError, SettingsError) as error:
            dg.get_dagster_logger().warning(f"The cost of the run is not known: {error}")
            return {}

    def _open(self) -> Warehouse:
        return open_warehouse(
            self.settings.get(),
            tag_of_step(),
            patience_seconds=self.patience_seconds,
            # Goes to the log of a run, or to the standard error of a command.
            say=dg.get_dagster_logger().warning,
        )


def tag_of_step() -> dict[str, str | None]:
    """Application, run id, step and as-of day of the current step; outside of a step, only the
    application."""
    tag: dict[str, str | None] = {"app": APPLICATION}
    try:
        context = OpExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return tag
    return {
        **tag,
        "run_id": context.run_id,
        "step": context.get_step_execution_context().step.key,
        "partition": context.partition_key if context.has_partition_key else None,
    }


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Turn errors of the warehouse into failures of the step: transient or permanent."""
    try:
        yield
    except WarehouseUnavailableError as error:
        raise TransientFailure(str(error)) from error
    except (WarehouseRejectedError, SettingsError) as error:
        raise PermanentFailure(str(error)) from error
