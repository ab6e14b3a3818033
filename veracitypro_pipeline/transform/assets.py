"""The dbt models as assets: one `dbt build` a run, an asset per model, a check per test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from veracitypro_pipeline.code_links import CodeLinks
from veracitypro_pipeline.failures import Interrupted
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of, day_of_run
from veracitypro_pipeline.resources.dbt.resource import DbtResource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.runs.events import DBT_ROWS_FAILING
from veracitypro_pipeline.step_guard import end_retries_of_run
from veracitypro_pipeline.transform import failing_rows, mart_figures
from veracitypro_pipeline.transform.columns import Columns
from veracitypro_pipeline.transform.translator import StageTranslator


class BuildConfig(dg.Config):
    """`full_refresh`: make every table anew, also what is kept from night to night."""

    full_refresh: bool = False


def build_assets(
    retries: dg.RetryPolicy,
    manifest: Path,
    columns: Columns,
    runbook_of: Callable[[str], str],
    code: CodeLinks,
    runbook_address: Callable[[str], str | None] = lambda _: None,
) -> list[dg.AssetsDefinition]:
    """The assets of this stage, as the dbt manifest declares them.

    `columns` is what is known of their columns, `runbook_of` names
    the runbook of a dbt test, `runbook_address` is where that is published, and `code` links to
    files.
    """

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=StageTranslator(columns, runbook_of, code, runbook_address),
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        retry_policy=retries,
    )
    def dbt_models(
        context: dg.AssetExecutionContext,
        config: BuildConfig,
        dbt: DbtResource,
        warehouse: WarehouseResource,
    ) -> Iterator[Any]:
        red: list[str] = []
        of_marts: list[Any] = []
        try:
            for event in dbt.build(context, full_refresh=config.full_refresh):
                said = event
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    red.append(str(event.metadata["unique_id"].value))
                    said = event._replace(description=_said_of(event))
                if mart_figures.is_of_mart(said):
                    of_marts.append(said)
                else:
                    yield said
        except Interrupted:
            # dbt is at work until the run ends, and on DuckDB has the warehouse for itself.
            yield from of_marts
            raise
        except dg.Failure as failure:
            end_retries_of_run(failure)
            yield from mart_figures.with_figures(context, warehouse, of_marts)
            _keep_failing_rows(context, dbt, warehouse, red)
            raise
        yield from mart_figures.with_figures(context, warehouse, of_marts)
        _keep_failing_rows(context, dbt, warehouse, red)

    return [dbt_models]


def _said_of(red: dg.AssetCheckResult) -> str:
    """dbt says no more of a red test than how many rows it found."""
    found = red.metadata.get(DBT_ROWS_FAILING)
    rows = "It could not be run" if found is None else f"Rows that fail it: {found.value}"
    return f"{rows}; MONITORING.TEST_FAILURE_ROW and `vp dashboard` have the first of them."


def _keep_failing_rows(
    context: dg.AssetExecutionContext,
    dbt: DbtResource,
    warehouse: WarehouseResource,
    red: list[str],
) -> None:
    """Whatever goes wrong here is said in the log: what people must hear of is the red test."""
    try:
        tests = failing_rows.failed_tests(dbt.run_results, red, context.op_execution_context.run_id)
    except (OSError, ValueError, LookupError, TypeError) as damage:
        context.log.warning(
            f"The failing rows of {len(red)} red tests are not kept, because dbt's results"
            f" {dbt.run_results} cannot be read: {damage}"
        )
        return
    day = day_of_run(context.instance, context.run).isoformat()
    for test in tests:
        try:
            rows = warehouse.query(failing_rows.question(test)).dicts()
            create = [failing_rows.CREATE_TABLE] if warehouse.makes_its_tables else []
            warehouse.transact(
                [
                    *create,
                    *failing_rows.keep(context.run.run_id, day, test, rows),
                ]
            )
        except dg.Failure as failure:
            context.log.warning(f"The failing rows of {test.name} are not kept: {failure}")
