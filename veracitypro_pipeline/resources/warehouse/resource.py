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
    WarehouseRefusal,
    WarehouseUnavailable,
)
from veracitypro_pipeline.settings import SettingsError
from veracitypro_pipeline.statement import Answer, Statement

# How our statements and sessions are told from others in Snowflake's history.
APPLICATION: Final = "veracitypro"
TICK_PATIENCE_SECONDS: Final = 12.0


class WarehouseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where RAW, STG, CORE, MART and MONITORING live. Sessions run in UTC.

    Every method raises a TransientFailure if the warehouse cannot be reached or is in use, and a
    PermanentFailure if it refuses.
    """

    settings: dg.ResourceDependency[RunSettings]
    # How long a statement waits for a file that one process at a time can use; None is as long as
    # a step may.
    patience_seconds: float | None = None

    def in_a_tick(self) -> "WarehouseResource":
        """The same for a sensor, whose tick Dagster gives up after 60 s: some statements that each
        wait in vain must end before that."""
        return WarehouseResource(settings=self.settings, patience_seconds=TICK_PATIENCE_SECONDS)

    @property
    def engine(self) -> Engine:
        """The engine behind it, for what only one engine can do."""
        return engine_of(self.settings.get())

    @property
    def makes_its_tables(self) -> bool:
        """Whether the pipeline makes the tables it writes; on Snowflake `vp infra apply` has."""
        return self.engine == "duckdb"

    def query(self, sql: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Rows of one read-only statement; see `Warehouse.query`."""
        with _explained():
            return self._open().query(sql, values)

    def row_counts(self, schema: str, *, has_views: bool = True) -> dict[str, int]:
        """Rows of each table, and view if asked, of a schema, by name in lower case."""
        with _explained():
            return self._open().row_counts(schema, has_views=has_views)

    def content_hashes(self, schema: str) -> dict[str, str]:
        """A hash over the rows of each table and view of a schema, by name in lower case."""
        with _explained():
            return self._open().content_hashes(schema)

    @contextmanager
    def transaction(
        self, *, before: Sequence[Statement] = (), relations: Mapping[str, Any] | None = None
    ) -> Iterator[Transaction]:
        """Statements of which all count, or none; see `Warehouse.transaction`."""
        with (
            _explained(),
            self._open().transaction(before=before, relations=relations) as transaction,
        ):
            yield transaction

    def transact(self, statements: Sequence[Statement]) -> None:
        """Run statements in one transaction."""
        with self.transaction() as transaction:
            for statement in statements:
                transaction.run(statement)

    def usage(self) -> dict[str, float]:
        """What the current run's statements have cost so far, dbt's among them.

        Empty outside of a run and where nothing is metered, and where the warehouse does not tell:
        a figure about a load is no reason to fail one.
        """
        run_id = tag_of_step().get("run_id")
        if run_id is None:
            return {}
        try:
            return self._open().usage(run_id)
        except (WarehouseUnavailable, WarehouseRefusal, SettingsError) as error:
            dg.get_dagster_logger().warning(f"The cost of the run is not known: {error}")
            return {}

    def _open(self) -> Warehouse:
        return open_warehouse(
            self.settings.get(),
            tag_of_step(),
            patience_seconds=self.patience_seconds,
            # A wait is in the log of the run, or on the standard error of a command.
            say=dg.get_dagster_logger().warning,
        )


def tag_of_step() -> dict[str, str | None]:
    """On whose behalf the current step asks: run, step and as-of day; outside of a step, nobody."""
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
def _explained() -> Iterator[None]:
    """Say whether a retry can help."""
    try:
        yield
    except WarehouseUnavailable as unavailable:
        raise TransientFailure(str(unavailable)) from unavailable
    except (WarehouseRefusal, SettingsError) as refusal:
        raise PermanentFailure(str(refusal)) from refusal
