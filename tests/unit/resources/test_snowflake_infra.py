"""infra/snowflake as statements: what each makes, and what of it an account lacks."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlglot

from veracitypro_pipeline.cli.infra import FOLDER, parameters_of
from veracitypro_pipeline.infra_plan import (
    Grant,
    InfraError,
    InfraObject,
    grants_shown,
    missing,
    objects_shown,
    statements_of,
)
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring import tables as run_tables
from veracitypro_pipeline.raw.on_duckdb import create_tables
from veracitypro_pipeline.raw.on_snowflake import load_statements
from veracitypro_pipeline.raw.tables import Load
from veracitypro_pipeline.settings import Settings, SettingsError
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandedFile

ARN = "arn:aws:iam::123456789012:role/vp-snowflake-dev"
SETTINGS = Settings.load(environment="dev", snowflake_storage_role_arn=ARN)
PARAMETERS = parameters_of(SETTINGS)
STATEMENTS = statements_of(FOLDER, PARAMETERS)
MADE = frozenset(made for statement in STATEMENTS for made in statement.makes)


def names(kind: str) -> set[str]:
    return {made.name for made in MADE if isinstance(made, InfraObject) and made.kind == kind}


def test_the_names_are_those_of_the_contract() -> None:
    assert names("DATABASE") == {"VP_DWH"}
    schemas = {"RAW", "STG", "CORE", "MART", "ML", "MONITORING"}
    assert names("SCHEMA") == {f"VP_DWH.{schema}" for schema in schemas}
    assert names("WAREHOUSE") == {"WH_INGEST", "WH_BI"}
    assert names("ROLE") == {
        *("AIRBYTE_ROLE", "DBT_ROLE", "DAGSTER_ROLE", "ANALYST_ROLE", "DS"),
        # Not of the contract: the app of infra/streamlit, and people on call.
        *("DASHBOARD_ROLE", "OPERATOR_ROLE"),
    }
    assert names("STORAGE INTEGRATION") == {"VP_S3_INT"}
    assert names("STAGE") == {f"VP_DWH.{PRODUCT_RAW.snowflake_stage}"}


def test_the_integration_reaches_every_source_and_a_stage_one_of_them() -> None:
    """The integration is never replaced: a second source must find its files within its reach."""
    (integration,) = (one.sql for one in STATEMENTS if "create storage integration" in one.sql)
    (stage,) = (one.sql for one in STATEMENTS if "create stage" in one.sql)
    (location,) = re.findall(r"storage_allowed_locations = \('([^']+)'\)", integration)
    (url,) = re.findall(r"url = '([^']+)'", stage)
    assert location == f"s3://{SETTINGS.raw_bucket}/env=dev/"
    assert url == f"s3://{SETTINGS.raw_bucket}/{PRODUCT_RAW.prefix(SETTINGS.environment)}"
    assert url.startswith(location)


def test_nothing_that_holds_data_or_trust_is_ever_replaced() -> None:
    text = "".join(file.read_text() for file in FOLDER.rglob("*.sql"))
    without_comments = re.sub(r"--[^\n]*", "", text).lower()
    assert not re.search(
        r"\b(replace\s+(table|stage|database|schema|\w*\s*integration)|drop|"
        r"truncate|or\s+replace)\b",
        without_comments,
    )


@pytest.mark.parametrize(
    ("role", "schemas"),
    [
        ("ANALYST_ROLE", ["MART"]),
        ("DASHBOARD_ROLE", ["MART", "MONITORING", "STG"]),
        ("OPERATOR_ROLE", ["RAW", "STG", "CORE", "MART", "MONITORING"]),
    ],
)
def test_reports_people_and_pages_only_read(role: str, schemas: list[str]) -> None:
    grants = {made for made in MADE if isinstance(made, Grant) and made.role == role}
    assert {grant.privilege for grant in grants} == {"USAGE", "SELECT"}
    assert {grant.name for grant in grants if grant.on == "WAREHOUSE"} == {"WH_BI"}
    read = {grant.name for grant in grants if grant.on not in ("DATABASE", "WAREHOUSE")}
    assert read == {
        f"VP_DWH.{schema}{what}" for schema in schemas for what in ("", ".<TABLE>", ".<VIEW>")
    }


def test_only_the_pipeline_writes_raw_and_nobody_else_may_make_tables_there() -> None:
    grants = [made for made in MADE if isinstance(made, Grant) and "VP_DWH.RAW" in made.name]
    writers = {g.role for g in grants if g.privilege in ("INSERT", "DELETE", "CREATE TABLE")}
    assert writers == {"DAGSTER_ROLE"}
    assert not [grant for grant in grants if grant.privilege.startswith("CREATE")]


def test_every_statement_is_snowflake_sql() -> None:
    for statement in STATEMENTS:
        (parsed,) = sqlglot.parse(statement.sql, dialect="snowflake")
        assert parsed is not None, statement.title


def test_tables_have_the_columns_that_duckdb_gives_them() -> None:
    def columns(sql: str, dialect: str) -> dict[str, list[tuple[str, bool]]]:
        table = sqlglot.parse_one(sql, dialect=dialect)
        name = table.find(sqlglot.exp.Table)
        assert name is not None
        return {
            name.name: [
                (column.name.lower(), column.find(sqlglot.exp.NotNullColumnConstraint) is not None)
                for column in table.find_all(sqlglot.exp.ColumnDef)
            ]
        }

    def tables(statements: Iterable[str], dialect: str) -> dict[str, list[tuple[str, bool]]]:
        found: dict[str, list[tuple[str, bool]]] = {}
        for sql in statements:
            if sql.strip().startswith(("create table", "alter table")):
                for name, added in columns(sql, dialect).items():
                    found[name] = [*found.get(name, []), *added]
        return found

    # A primary key is not null.
    ours = [one.sql.replace("primary key", "not null") for one in create_tables(PRODUCT_RAW)]
    of_duckdb = tables([*ours, *(one.sql for one in run_tables.create_tables(STAGES))], "duckdb")
    assert ("arrived_at", False) in of_duckdb["LOAD_LEDGER"]
    assert tables([one.sql for one in STATEMENTS], "snowflake") == of_duckdb


def test_the_view_of_stages_is_the_one_that_duckdb_gets() -> None:
    (ours,) = [one.sql for one in run_tables.create_tables(STAGES) if "create view" in one.sql]
    (theirs,) = [one.sql for one in STATEMENTS if one.sql.startswith("create view")]
    assert theirs.replace("VP_DWH.MONITORING", "MONITORING") == ours


def test_the_file_format_for_people_is_that_of_the_load() -> None:
    def options(text: str) -> set[str]:
        return {" ".join(line.split()) for line in text.splitlines() if " = " in line}

    (by_hand,) = [one.sql for one in STATEMENTS if "file format" in one.sql]
    (copy,) = [
        statement.sql
        for statement in load_statements(_a_load(), PRODUCT_RAW.prefix(SETTINGS.environment))
        if "copy into" in statement.sql
    ]
    of_load = re.search(r"file_format = \((.*?)\n\)", copy, re.DOTALL)
    assert of_load is not None
    assert options(by_hand) == options(of_load.group(1))


def _a_load() -> Load:
    file = LandedFile(
        key=f"{PRODUCT_RAW.prefix(SETTINGS.environment)}a",
        etag="e",
        size_bytes=1,
        lines=1,
        sync_ids={},
    )
    return Load(PRODUCT_RAW, [file], date(2026, 1, 1), "run", datetime(2026, 1, 2))


def test_what_is_there_is_told_from_what_show_lists() -> None:
    shown: frozenset[InfraObject | Grant] = frozenset(
        [
            *objects_shown("SCHEMA", "VP_DWH", [{"name": "RAW"}]),
            *objects_shown("TABLE", "VP_DWH", [{"name": "KEEPA_RAW", "schema_name": "RAW"}]),
            *objects_shown(
                "COLUMN",
                "VP_DWH",
                [
                    {
                        "schema_name": "MONITORING",
                        "table_name": "LOAD_LEDGER",
                        "column_name": "ARRIVED_AT",
                    }
                ],
            ),
            *grants_shown(
                "DS",
                [{"privilege": "USAGE", "granted_on": "WAREHOUSE", "name": "WH_BI"}],
                is_future=False,
            ),
            *grants_shown(
                "DBT_ROLE",
                [{"privilege": "SELECT", "grant_on": "TABLE", "name": "VP_DWH.RAW.<TABLE>"}],
                is_future=True,
            ),
        ]
    )
    assert shown <= MADE
    assert len(missing(STATEMENTS, frozenset())) == len(STATEMENTS)
    assert len(missing(STATEMENTS, shown)) == len(STATEMENTS) - 5
    assert missing(STATEMENTS, MADE) == []


def test_a_grant_of_which_a_part_is_missing_is_missing() -> None:
    (insert,) = [
        made
        for made in MADE
        if isinstance(made, Grant) and made.privilege == "INSERT" and "RAW" in made.name
    ]
    (lacking,) = missing(STATEMENTS, MADE - {insert})
    assert lacking.title.startswith("grant select, insert, delete on future tables")
    assert lacking.role == "SECURITYADMIN"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database", "VP_DWH; drop database VP_DWH"),
        ("raw_bucket", "x'"),
        ("storage_role_arn", "arn:aws:iam::1:role/x"),
        ("storage_role_arn", "arn:aws-us-gov:iam::123456789012:role/vp-snowflake-dev"),
        ("storage_role_arn", ""),
        ("credit_quota", "0"),
        ("environment", "local"),
    ],
)
def test_a_parameter_that_could_be_sql_is_refused(name: str, value: str) -> None:
    with pytest.raises(InfraError, match=f"The parameter {name} "):
        statements_of(FOLDER, {**PARAMETERS, name: value})


@pytest.mark.parametrize(
    "sql",
    [
        "create or replace table T (a int);",
        "use role SYSADMIN; drop table T;",
        "use role SYSADMIN; grant all on all tables in schema S to role DS;",
    ],
)
def test_a_statement_that_could_not_be_planned_is_refused(sql: str, tmp_path: Path) -> None:
    (tmp_path / "01.sql").write_text(sql)
    with pytest.raises(InfraError, match=r"01\.sql"):
        statements_of(tmp_path, PARAMETERS)


def test_the_storage_role_must_be_named() -> None:
    with pytest.raises(SettingsError, match="SNOWFLAKE_STORAGE_ROLE_ARN is not set"):
        parameters_of(Settings.load(environment="dev"))
