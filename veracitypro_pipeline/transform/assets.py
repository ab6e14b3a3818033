"""The dbt models as assets: one `dbt build` a run, an asset per model, a check per test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.dbt import DbtResource
from veracitypro_pipeline.transform.translator import StageTranslator


def build_assets(retries: dg.RetryPolicy, manifest: Path) -> list[dg.AssetsDefinition]:
    """The assets of this stage, as the dbt manifest declares them."""

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=StageTranslator(),
        partitions_def=daily_as_of,
        # One day at a time: a day's build reads what that day's load has brought.
        backfill_policy=dg.BackfillPolicy.multi_run(),
        retry_policy=retries,
    )
    def dbt_models(context: dg.AssetExecutionContext, dbt: DbtResource) -> Iterator[Any]:
        yield from dbt.build(context)

    return [dbt_models]
