"""The warehouse, on either engine: sign-in, schemas, tables, and that the models were built."""

from typing import Final

from veracitypro_pipeline.doctor.check import Check, Fault
from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentCheck

SCHEMAS: Final = ("RAW", "STG", "CORE", "MART", "MONITORING")
# Filled by the load and by what tells of runs; dbt makes the others.
TABLES: Final = (
    "RAW.KEEPA_RAW",
    "MONITORING.LOAD_LEDGER",
    "MONITORING.PIPELINE_RUN_MONITORING",
    "MONITORING.PIPELINE_RUN_CHECK",
    "MONITORING.TEST_FAILURE_ROW",
)
VIEWS: Final = ("MONITORING.PIPELINE_RUN_STAGE",)
# Younger than its table, so that an older deployment lacks it.
COLUMNS: Final = ("MONITORING.LOAD_LEDGER.ARRIVED_AT",)
# One per layer, read by what follows it.
MODELS: Final = ("STG.STG_KEEPA_PRICE", "CORE.CORE_KEEPA_PRICE_DAILY", "MART.DIM_PRODUCT")

_SCHEMAS_THERE: Final = """
select distinct upper(schema_name)
from information_schema.schemata
where catalog_name = current_database()
"""
_TABLES_THERE: Final = """
select upper(table_schema) || '.' || upper(table_name)
from information_schema.tables
where table_catalog = current_database()
"""
_COLUMNS_THERE: Final = """
select upper(table_schema) || '.' || upper(table_name) || '.' || upper(column_name)
from information_schema.columns
where table_catalog = current_database()
"""


def _sign_in(deployment: Deployment) -> str:
    deployment.warehouse.query("select 1 as one")
    return "answers a query"


def _schemas(deployment: Deployment) -> str:
    _all_there(deployment, _SCHEMAS_THERE, SCHEMAS)
    return ", ".join(SCHEMAS)


def _tables(deployment: Deployment) -> str:
    _all_there(deployment, _TABLES_THERE, (*TABLES, *VIEWS))
    _all_there(deployment, _COLUMNS_THERE, COLUMNS)
    return ", ".join(TABLES)


def _models(deployment: Deployment) -> str:
    _all_there(deployment, _TABLES_THERE, MODELS)
    rows = deployment.warehouse.row_counts("MART")
    return f"{len(rows)} marts with {sum(rows.values()):,} rows"


def _all_there(deployment: Deployment, sql: str, expected: tuple[str, ...]) -> None:
    there = {row[0] for row in deployment.warehouse.query(sql).rows}
    if missing := [name for name in expected if name not in there]:
        raise Fault(f"not there: {', '.join(missing)}")


_MADE_BY_INFRA: Final = "`vp infra apply` (on a laptop: `vp run`) makes what is missing"

CHECKS: Final[tuple[DeploymentCheck, ...]] = (
    Check(
        "warehouse sign-in",
        _sign_in,
        "set the SNOWFLAKE_* settings of the user that `vp infra apply` made, with its private key"
        " (on a laptop: `vp run` makes the file)",
    ),
    Check("warehouse schemas", _schemas, _MADE_BY_INFRA, after="warehouse sign-in"),
    Check("warehouse tables", _tables, _MADE_BY_INFRA, after="warehouse schemas"),
    Check("warehouse models", _models, "run one day: `vp run`", after="warehouse tables"),
)
