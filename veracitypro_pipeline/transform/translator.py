"""How a dbt node looks in the lineage graph: its key, group, owners and kinds."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from veracitypro_pipeline.lineage import DBT_STAGES, OWNERS, STG, model_key


class StageTranslator(DagsterDbtTranslator):
    """A model of `models/<stage>/` is the asset `<stage>/<model>` in the group of its stage."""

    def __init__(self) -> None:
        # Tests are checks; those of a source (RAW) and of several models belong to one of them.
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))

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
