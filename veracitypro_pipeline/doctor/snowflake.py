"""Snowflake alone: session, grants, stage and integration, as infra/snowflake creates them.

The probes sign in with the role whose rights they check. They read only: documented SHOW output, or
a use of the object itself.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.doctor.warehouse import SCHEMAS, TABLES
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources import STREAMS
from veracitypro_pipeline.sources.source import Stream

INTEGRATION: Final = "VP_S3_INT"
# Privileges as (privilege, kind, name); ownership of an object implies them all. Names in braces
# are filled in from settings.
_BOTH: Final = (("USAGE", "DATABASE", "{database}"), ("USAGE", "WAREHOUSE", "{warehouse}"))
NEEDED: Final = (
    *_BOTH,
    *(("USAGE", "STAGE", "{database}." + stream.snowflake_stage) for stream in STREAMS),
    *(
        (privilege, "TABLE", "{database}." + table)
        for table in TABLES
        for privilege in ("SELECT", "INSERT", "DELETE")
    ),
)
NEEDED_BY_DBT: Final = (
    *_BOTH,
    ("USAGE", "SCHEMA", "{database}.RAW"),
    *(("SELECT", "TABLE", "{database}." + stream.raw_table) for stream in STREAMS),
    *(
        (privilege, "SCHEMA", "{database}." + schema)
        for privilege in ("USAGE", "CREATE TABLE", "CREATE VIEW")
        for schema in ("STG", "CORE", "MART", "MONITORING")
    ),
)
# Without tables: grants on future tables let readers read each table that is created.
NEEDED_BY_READERS: Final = (
    ("USAGE", "DATABASE", "{database}"),
    ("USAGE", "WAREHOUSE", "{reader_warehouse}"),
    *(("USAGE", "SCHEMA", "{database}." + schema) for schema in SCHEMAS),
)


def _session(deployment: Deployment) -> str:
    settings = deployment.settings
    expected = {
        "role": settings.snowflake_role,
        "warehouse": settings.snowflake_warehouse,
        "database": settings.snowflake_database,
    }
    sql = "select current_role() as role, current_warehouse() as warehouse,"
    (there,) = _rows(deployment.warehouse, f"{sql} current_database() as database")
    wrong = [
        f"{name} {there[name]}, expected {value}"
        for name, value in expected.items()
        if str(there[name]).upper() != value.upper()
    ]
    if wrong:
        raise ProbeError(f"the session has {'; '.join(wrong)}")
    return f"{settings.snowflake_role} on {settings.snowflake_warehouse}"


def _grants(deployment: Deployment) -> str:
    return _has_all(deployment, deployment.warehouse, deployment.settings.snowflake_role, NEEDED)


def _dbt_grants(deployment: Deployment) -> str:
    """Signs in as dbt does, which fails if the user has not been granted dbt's role."""
    role = deployment.settings.snowflake_dbt_role
    return _has_all(deployment, deployment.dbt_warehouse, role, NEEDED_BY_DBT)


def _reader_grants(deployment: Deployment) -> str:
    """Signs in as `vp sql` does."""
    role = deployment.settings.snowflake_reader_role
    return _has_all(deployment, deployment.reader_warehouse, role, NEEDED_BY_READERS)


def _has_all(
    deployment: Deployment,
    warehouse: WarehouseResource,
    role: str,
    needed: Sequence[tuple[str, str, str]],
) -> str:
    settings = deployment.settings
    names = {
        "database": settings.snowflake_database,
        "warehouse": settings.snowflake_warehouse,
        "reader_warehouse": settings.snowflake_reader_warehouse,
    }
    granted = set(_granted(warehouse, role, set()))
    missing = [
        f"{privilege} on {kind} {name.format(**names)}"
        for privilege, kind, name in needed
        if not {(p, kind, name.format(**names)) for p in (privilege, "OWNERSHIP")} & granted
    ]
    if missing:
        raise ProbeError(f"{role} lacks {', '.join(missing)}")
    return f"{role} has all {len(needed)} it needs"


def _granted(
    warehouse: WarehouseResource, role: str, seen: set[str]
) -> Iterator[tuple[str, str, str]]:
    """The privileges of a role and of the roles granted to it."""
    seen.add(role)
    for row in _rows(warehouse, f"show grants to role {_identifier(role)}"):
        kind, name = str(row["granted_on"]).upper(), str(row["name"]).replace('"', "").upper()
        yield str(row["privilege"]).upper(), kind, name
        if kind == "ROLE" and name not in seen:
            yield from _granted(warehouse, name, seen)


def _stages(deployment: Deployment) -> str:
    return "; ".join(_stage(deployment, stream) for stream in STREAMS)


def _stage(deployment: Deployment, stream: Stream) -> str:
    settings = deployment.settings
    stage = stream.snowflake_stage
    schema, name = stage.split(".")
    rows = _rows(deployment.warehouse, f"show stages like '{name}' in schema {schema}")
    if not rows:
        raise ProbeError(f"there is no stage {stage}, or the role has no USAGE on it")
    url, integration = str(rows[0]["url"]), rows[0]["storage_integration"]
    if url != f"s3://{settings.raw_bucket}/{stream.prefix(settings.environment)}":
        raise ProbeError(f"the stage {stage} is at {url}, not at the landing prefix")
    if integration != INTEGRATION:
        raise ProbeError(f"the stage {stage} reads through {integration}, not {INTEGRATION}")
    return f"{stage} at {url}"


def _integration(deployment: Deployment) -> str:
    """LIST reads S3 as Snowflake's own user, so it fails unless AWS and Snowflake trust each
    other."""
    lists = [f"list @{stream.snowflake_stage}" for stream in STREAMS]
    files = sum(len(_rows(deployment.warehouse, sql)) for sql in lists)
    return f"{files} files seen through {INTEGRATION}"


def _rows(warehouse: WarehouseResource, sql: str) -> list[dict[str, Any]]:
    answer = warehouse.query(sql)
    names = [name.lower() for name in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def _identifier(name: str) -> str:
    return '"' + name.upper().replace('"', '""') + '"'


_APPLY: Final = "`vp infra apply`"

PROBES: Final[tuple[DeploymentProbe, ...]] = (
    Probe(
        "snowflake session",
        _session,
        "grant the role to SNOWFLAKE_USER, and set SNOWFLAKE_ROLE, SNOWFLAKE_WAREHOUSE and"
        " SNOWFLAKE_DATABASE to what `vp infra apply` made",
        after="warehouse sign-in",
    ),
    Probe("snowflake grants", _grants, _APPLY, after="snowflake session"),
    Probe(
        "snowflake dbt role",
        _dbt_grants,
        "grant the role of SNOWFLAKE_DBT_ROLE to SNOWFLAKE_USER; `vp infra apply` gives DBT_ROLE"
        " what it needs",
        after="snowflake session",
    ),
    Probe(
        "snowflake reader role",
        _reader_grants,
        "grant the role of SNOWFLAKE_READER_ROLE to SNOWFLAKE_USER; `vp infra apply` gives"
        " OPERATOR_ROLE what it needs",
        after="snowflake session",
    ),
    Probe("snowflake stage", _stages, _APPLY, after="snowflake session"),
    Probe(
        "snowflake integration",
        _integration,
        "give infra/aws/access.yaml the user and the external id that `desc integration"
        f" {INTEGRATION}` shows, and deploy it again",
        after="snowflake stage",
    ),
)
