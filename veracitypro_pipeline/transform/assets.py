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
    """`full_refresh`: rebuild every table, also the incremental ones."""

    full_refresh: bool = False


def build_assets(
    retries: dg.RetryPolicy,
    manifest: Path,
    columns: Columns,
    runbook_of: Callable[[str], str],
    code: CodeLinks,
    runbook_address: Callable[[str], str | None] = lambda _: None,
) -> list[dg.AssetsDefinition]:
    """The assets of this stage, from the dbt manifest.

    `columns` are the types and lineage of their columns, `runbook_of` names the runbook of a dbt
    test, `runbook_address` is the URL of a runbook, and `code` links to files.
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
                described = event
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    red.append(str(event.metadata["unique_id"].value))
                    described = event._replace(description=_description_of(event))
                if mart_figures.is_of_mart(described):
                    of_marts.append(described)
                else:
                    yield described
        except Interrupted:
            # dbt works until the run ends and locks the DuckDB file, so nothing can be queried.
            yield from of_marts
            raise
        except dg.Failure as failure:
            end_retries_of_run(failure)
            yield from mart_figures.with_figures(context, warehouse, of_marts)
            _store_failing_rows(context, dbt, warehouse, red)
            raise
        yield from mart_figures.with_figures(context, warehouse, of_marts)
        _store_failing_rows(context, dbt, warehouse, red)

    return [dbt_models]


def _description_of(red: dg.AssetCheckResult) -> str:
    """dbt reports only the number of failing rows, so say where to find them."""
    found = red.metadata.get(DBT_ROWS_FAILING)
    rows = "It could not be run" if found is None else f"Rows that fail it: {found.value}"
    return f"{rows}; MONITORING.TEST_FAILURE_ROW and `vp dashboard` have the first of them."


def _store_failing_rows(
    context: dg.AssetExecutionContext,
    dbt: DbtResource,
    warehouse: WarehouseResource,
    red: list[str],
) -> None:
    """Store the failing rows of red tests. An error is only logged, so that it does not hide the
    red tests."""
    try:
        tests = failing_rows.failed_tests(dbt.run_results, red, context.op_execution_context.run_id)
    except (OSError, ValueError, LookupError, TypeError) as damage:
        context.log.warning(
            f"The failing rows of {len(red)} red tests are not stored, because dbt's results"
            f" {dbt.run_results} cannot be read: {damage}"
        )
        return
    day = day_of_run(context.instance, context.run).isoformat()
    for test in tests:
        try:
            rows = warehouse.query(failing_rows.first_failing_rows(test)).dicts()
            create = [failing_rows.CREATE_TABLE] if warehouse.makes_its_tables else []
            warehouse.transact(
                [
                    *create,
                    *failing_rows.replace(context.run.run_id, day, test, rows),
                ]
            )
        except dg.Failure as failure:
            context.log.warning(f"The failing rows of {test.name} are not stored: {failure}")
