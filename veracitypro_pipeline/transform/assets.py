"""The dbt models as assets: one `dbt build` a run, an asset per model, a check per test."""

from collections.abc import Callable, Iterator
from datetime import time
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from veracitypro_pipeline.code_links import CodeLinks
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.resources.dbt import DbtResource
from veracitypro_pipeline.transform.columns import Columns
from veracitypro_pipeline.transform.translator import StageTranslator


class BuildConfig(dg.Config):
    """`full_refresh`: make every table anew, also what is kept from night to night."""

    full_refresh: bool = False


def build_assets(
    retries: dg.RetryPolicy,
    manifest: Path,
    columns: Columns,
    deadline: time,
    runbook_of: Callable[[str], str],
    code: CodeLinks,
) -> list[dg.AssetsDefinition]:
    """The assets of this stage, as the dbt manifest declares them.

    `columns` is what is known of their columns, `deadline` when marts are due, `runbook_of` names
    the runbook of a dbt test, and `code` links to files.
    """

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=StageTranslator(deadline, columns, runbook_of, code),
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        retry_policy=retries,
    )
    def dbt_models(
        context: dg.AssetExecutionContext, config: BuildConfig, dbt: DbtResource
    ) -> Iterator[Any]:
        yield from dbt.build(context, full_refresh=config.full_refresh)

    return [dbt_models]
