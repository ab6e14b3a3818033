"""The warehouse, on either engine: sign-in, schemas, tables, and built models."""

from typing import Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.sources import STREAMS

SCHEMAS: Final = ("RAW", "STG", "CORE", "MART", "MONITORING")
# Written by the load, by the recording of runs and by failed dbt tests; dbt creates all others.
TABLES: Final = (
    *(stream.raw_table for stream in STREAMS),
    "MONITORING.LOAD_LEDGER",
    "MONITORING.PIPELINE_RUN_MONITORING",
    "MONITORING.PIPELINE_RUN_CHECK",
    "MONITORING.TEST_FAILURE_ROW",
)
VIEWS: Final = ("MONITORING.PIPELINE_RUN_STAGE",)
# Added after its table, so an older deployment may lack it.
COLUMNS: Final = ("MONITORING.LOAD_LEDGER.ARRIVED_AT",)
# One model per layer, which later models read.
MODELS: Final = ("STG.STG_KEEPA_PRICE", "CORE.CORE_KEEPA_PRICE_DAILY", "MART.DIM_PRODUCT")

_EXISTING_SCHEMAS: Final = """
select distinct upper(schema_name)
from information_schema.schemata
where catalog_name = current_database()
"""
_EXISTING_TABLES: Final = """
select upper(table_schema) || '.' || upper(table_name)
from information_schema.tables
where table_catalog = current_database()
"""
_EXISTING_COLUMNS: Final = """
select upper(table_schema) || '.' || upper(table_name) || '.' || upper(column_name)
from information_schema.columns
where table_catalog = current_database()
"""


def _sign_in(deployment: Deployment) -> str:
    deployment.warehouse.query("select 1 as one")
    return "answers a query"


def _schemas(deployment: Deployment) -> str:
    _require(deployment, _EXISTING_SCHEMAS, SCHEMAS)
    return ", ".join(SCHEMAS)


def _tables(deployment: Deployment) -> str:
    _require(deployment, _EXISTING_TABLES, (*TABLES, *VIEWS))
    _require(deployment, _EXISTING_COLUMNS, COLUMNS)
    return ", ".join(TABLES)


def _models(deployment: Deployment) -> str:
    _require(deployment, _EXISTING_TABLES, MODELS)
    rows = deployment.warehouse.row_counts("MART")
    return f"{len(rows)} marts with {sum(rows.values()):,} rows"


def _require(deployment: Deployment, sql: str, expected: tuple[str, ...]) -> None:
    there = {row[0] for row in deployment.warehouse.query(sql).rows}
    if missing := [name for name in expected if name not in there]:
        raise ProbeError(f"missing: {', '.join(missing)}")


_MADE_BY_INFRA: Final = "`vp infra apply` (on a laptop: `vp run`) creates what is missing"

PROBES: Final[tuple[DeploymentProbe, ...]] = (
    Probe(
        "warehouse sign-in",
        _sign_in,
        "set the SNOWFLAKE_* settings of the user that `vp infra apply` made, with its private key"
        " (on a laptop: `vp run` makes the file)",
    ),
    Probe("warehouse schemas", _schemas, _MADE_BY_INFRA, after="warehouse sign-in"),
    Probe("warehouse tables", _tables, _MADE_BY_INFRA, after="warehouse schemas"),
    Probe("warehouse models", _models, "run one day: `vp run`", after="warehouse tables"),
)
