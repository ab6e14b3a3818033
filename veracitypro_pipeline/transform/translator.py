"""How a dbt node looks in the lineage graph: its key, group, owners and kinds."""

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from veracitypro_pipeline.lineage import DBT_STAGES, MART, OWNERS, STG, model_key


class StageTranslator(DagsterDbtTranslator):
    """A model of `models/<stage>/` is the asset `<stage>/<model>` in the group of its stage.

    A mart is overdue in the Dagster UI if nothing has written it between midnight UTC and the
    deadline. Whether its rows speak of the day, too, says the check `data_is_fresh`.
    """

    def __init__(self, deadline: time) -> None:
        # Tests are checks; those of a source (RAW) and of several models belong to one of them.
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        self._freshness_policy = dg.FreshnessPolicy.cron(
            deadline_cron=f"{deadline.minute} {deadline.hour} * * *",
            lower_bound_delta=timedelta(hours=deadline.hour, minutes=deadline.minute),
        )

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if spec.key.path[0] != MART:
            return spec
        return spec.replace_attributes(freshness_policy=self._freshness_policy)

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return model_key(stage_of(dbt_resource_props), dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return stage_of(dbt_resource_props)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return [*OWNERS, *(super().get_owners(dbt_resource_props) or [])]


def stage_of(dbt_resource_props: Mapping[str, Any]) -> str:
    """`stg`, `core` or `mart`: the first folder below `models`. Seeds feed STG."""
    if dbt_resource_props["resource_type"] == "seed":
        return STG
    folder = dbt_resource_props["fqn"][1]
    if folder not in DBT_STAGES:
        raise ValueError(
            f"The dbt model {dbt_resource_props['name']} lies in models/{folder}: expected one of"
            f" {', '.join(DBT_STAGES)}; move it."
        )
    return str(folder)
