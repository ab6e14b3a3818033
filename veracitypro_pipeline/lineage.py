"""Every asset key, group, kind and owner of the lineage graph, once.

Stages never import each other: they meet through these names. Nothing else belongs here.
"""

from typing import Final

from dagster import AssetKey

from veracitypro_pipeline.sources.source import Stream

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


def ingest_key(stream: Stream) -> AssetKey:
    """The asset key of a stream's sync, e.g. `airbyte/keepa/product_raw`."""
    return AssetKey(["airbyte", stream.source, stream.name])


def landing_key(stream: Stream) -> AssetKey:
    """The asset key of its landing files. The state store keeps their manifests under this name."""
    return AssetKey([LANDING, stream.source, stream.name])


def landing_index(stream: Stream) -> str:
    """The name in the state store of what was read of the landing prefix so far."""
    return f"{landing_key(stream).to_user_string()}/index"


def raw_key(stream: Stream) -> AssetKey:
    """The asset key of its table, e.g. `raw/keepa_raw`."""
    return AssetKey([RAW, stream.table.lower()])


def model_key(stage: str, model: str) -> AssetKey:
    """The asset key of a dbt model or seed, e.g. `stg/stg_keepa_price`."""
    return AssetKey([stage, model])
