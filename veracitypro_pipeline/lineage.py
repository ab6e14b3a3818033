"""Every asset key, group, kind and owner of the lineage graph, once.

Stages never import each other: they meet through these names. Nothing else belongs here.
"""

from typing import Final

from dagster import AssetKey

AIRBYTE_PRODUCT: Final = AssetKey(["airbyte", "keepa", "product_raw"])
LANDING_PRODUCT: Final = AssetKey(["landing", "keepa", "product_raw"])
# What was read of the landing bucket so far, beside the manifests of its days.
LANDING_INDEX: Final = f"{'/'.join(LANDING_PRODUCT.path)}/index"
RAW_KEEPA: Final = AssetKey(["raw", "keepa_raw"])
POWERBI_DATASET: Final = AssetKey(["powerbi", "veracitypro"])

# The seven stages in the order in which a record passes them; also the groups in the Dagster UI.
INGEST: Final = "ingest"
LANDING: Final = "landing"
RAW: Final = "raw"
STG: Final = "stg"
CORE: Final = "core"
MART: Final = "mart"
BI: Final = "bi"
STAGES: Final = (INGEST, LANDING, RAW, STG, CORE, MART, BI)
DBT_STAGES: Final = (STG, CORE, MART)

OWNERS: Final = ["team:data"]

# The I/O manager by which a stage hands a value of `stage_values` to the next.
STAGE_VALUES_IO: Final = "stage_values_io"

# As workspace.yaml, dagster_cloud.yaml and pyproject.toml call it.
CODE_LOCATION: Final = "veracitypro_pipeline"
JOB_NAME: Final = "vp_daily_batch"
SCHEDULE_NAME: Final = "vp_daily_batch_schedule"


# The stage of an asset by the first part of its key. A test compares it with the assets' groups.
_STAGE_OF_PREFIX: Final = {
    "airbyte": INGEST,
    **{stage: stage for stage in (LANDING, RAW, *DBT_STAGES)},
    "powerbi": BI,
}


def stage_of(key: AssetKey) -> str:
    """The stage of an asset, which is its group; empty for an asset that is of none."""
    return _STAGE_OF_PREFIX.get(key.path[0], "")


def model_key(stage: str, model: str) -> AssetKey:
    """The asset key of a dbt model or seed, e.g. `stg/stg_keepa_price`."""
    return AssetKey([stage, model])


# Where the checks stand that count over all of dbt's stages.
DIM_PRODUCT: Final = model_key(MART, "dim_product")
