"""The code location: all definitions of this project.

It loads without a network in every environment. In a checkout the dbt manifest is built when it is
missing or stale; a wheel contains it (`resources/dbt/command.py`).
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import dagster as dg

from veracitypro_pipeline import links
from veracitypro_pipeline.automation.jobs import vp_daily_batch
from veracitypro_pipeline.automation.schedules import build_schedules
from veracitypro_pipeline.bi import assets as bi_assets
from veracitypro_pipeline.bi import checks as bi_checks
from veracitypro_pipeline.code_links import CodeLinks
from veracitypro_pipeline.ingest import assets as ingest_assets
from veracitypro_pipeline.ingest import checks as ingest_checks
from veracitypro_pipeline.landing import assets as landing_assets
from veracitypro_pipeline.landing import checks as landing_checks
from veracitypro_pipeline.lineage import MART, STAGE_VALUES_IO, model_key, stage_of
from veracitypro_pipeline.monitoring import sensors as monitoring_sensors
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.notify import sensors as notify_sensors
from veracitypro_pipeline.partitions import explained
from veracitypro_pipeline.raw import assets as raw_assets
from veracitypro_pipeline.raw import checks as raw_checks
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.resources.dbt.command import manifest_path
from veracitypro_pipeline.resources.dbt.resource import DbtResource
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.slack import SlackResource
from veracitypro_pipeline.resources.state_store import StageValuesIOManager, StateStore
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.source import Source
from veracitypro_pipeline.transform import assets as transform_assets
from veracitypro_pipeline.transform import (
    columns,
    conservation,
    freshness_and_volume,
    refusals,
)

STEP_RETRIES: Final = 2
CHECKS_OF_SOURCE: Final[tuple[Callable[[Source], list[dg.AssetChecksDefinition]], ...]] = (
    ingest_checks.build_checks,
    landing_checks.build_checks,
    raw_checks.build_checks,
    conservation.build_checks,
    refusals.build_checks,
    freshness_and_volume.build_checks,
)


def build_definitions(
    settings: Settings, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """The definitions for these settings; `overrides` replace resources by their key.

    Raises:
        ManifestMissingError: there is no dbt manifest, and none can be built.
    """
    retries = dg.RetryPolicy(max_retries=STEP_RETRIES, delay=settings.retry_delay)
    manifest = manifest_path(settings)
    is_local = settings.environment == "local"
    code = CodeLinks(settings.code_url, REPOSITORY_DIR if is_local else None)
    runbook = partial(links.runbook, settings)
    assets = [
        *(
            code.of(asset)
            for source in SOURCES
            for stage in (ingest_assets, landing_assets, raw_assets)
            for asset in stage.build_assets(source, retries)
        ),
        *transform_assets.build_assets(
            retries,
            manifest,
            columns.read(settings.dbt_project_dir),
            runbooks.of_check,
            code,
            runbook,
        ),
        *map(code.of, bi_assets.build_assets(retries, exposed_marts(manifest))),
    ]
    checks = [
        *(
            check
            for source in SOURCES
            for build_checks in CHECKS_OF_SOURCE
            for check in build_checks(source)
        ),
        *bi_checks.CHECKS,
    ]
    return dg.Definitions(
        assets=[explained(one.map_asset_specs(partial(_with_links, settings))) for one in assets],
        asset_checks=[links.with_runbooks(one, runbook) for one in checks],
        jobs=[vp_daily_batch],
        schedules=build_schedules(settings),
        sensors=[*monitoring_sensors.SENSORS, *notify_sensors.build_sensors(settings)],
        resources={**build_resources(run_settings(settings)), **(overrides or {})},
        # The stages follow one another, and a process for each step costs more than most steps.
        executor=dg.in_process_executor,
    )


def _with_links(settings: Settings, spec: dg.AssetSpec) -> dg.AssetSpec:
    runbook = runbooks.OF_STAGES[stage_of(spec.key)]
    return spec.merge_attributes(metadata=links.of_asset(settings, spec.key, runbook))


def build_resources(of_run: RunSettings) -> dict[str, Any]:
    """One resource per service, all with the settings of `of_run`."""
    s3 = S3Resource(settings=of_run)
    state_store = StateStore(settings=of_run, s3=s3)
    return {
        "run_settings": of_run,
        "airbyte": AirbyteResource(settings=of_run),
        "s3": s3,
        "state_store": state_store,
        STAGE_VALUES_IO: StageValuesIOManager(store=state_store),
        "warehouse": WarehouseResource(settings=of_run),
        "dbt": DbtResource(settings=of_run),
        "powerbi": PowerBIResource(settings=of_run),
        "slack": SlackResource(settings=of_run),
    }


def run_settings(settings: Settings) -> RunSettings:
    """The settings of a run: from the environment, in `local` with the stack's addresses."""
    if settings.environment != "local":
        return RunSettings()
    from veracitypro_pipeline.local.stack.run_settings import StackRunSettings

    return StackRunSettings()


def exposed_marts(manifest: Path) -> list[dg.AssetKey]:
    """The marts that Power BI imports, as the dbt exposure declares them."""
    exposures = json.loads(manifest.read_text(encoding="utf-8"))["exposures"].values()
    nodes = {node for exposure in exposures for node in exposure["depends_on"]["nodes"]}
    return [model_key(MART, node.split(".")[-1]) for node in sorted(nodes)]


defs = build_definitions(Settings.load())
