"""What holds for every source: its declaration agrees with the other languages, and stages know
no source by name."""

from typing import Final

import pytest
import yaml

from veracitypro_pipeline.settings import PACKAGE_DIR, REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.connector import CONNECTORS, declared_schema
from veracitypro_pipeline.sources.source import Source

STAGES: Final = ("ingest", "landing", "raw", "transform", "bi")

of_each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


@of_each_source
@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_names_a_source(stage: str, source: Source) -> None:
    modules = [*(PACKAGE_DIR / stage).rglob("*.py")]
    assert modules
    assert [path.name for path in modules if source.name in path.read_text().lower()] == []


@of_each_source
def test_its_settings_are_settings(source: Source) -> None:
    named = {source.connection} | ({source.budget.a_record} if source.budget else set())
    assert named <= Settings.model_fields.keys()


@of_each_source
def test_its_connector_declares_its_streams_and_secrets(source: Source) -> None:
    manifest = CONNECTORS / source.manifest
    for stream in source.streams:
        assert declared_schema(manifest, stream)["properties"]
    specified = yaml.safe_load(manifest.read_text())["spec"]["connection_specification"]
    assert {*source.secrets, *source.configuration({})} <= specified["properties"].keys()


@of_each_source
def test_its_tables_are_made_on_snowflake_and_read_by_dbt(source: Source) -> None:
    sql = (REPOSITORY_DIR / f"infra/snowflake/sources/{source.name}.sql").read_text()
    folder = REPOSITORY_DIR / f"dbt_project/models/stg/{source.name}"
    declared = yaml.safe_load((folder / f"_{source.name}_sources.yml").read_text())
    tables = {table["name"] for one in declared["sources"] for table in one["tables"]}
    for stream in source.streams:
        assert f"create table if not exists ${{database}}.{stream.raw_table} (" in sql
        assert f"create stage if not exists ${{database}}.{stream.snowflake_stage}\n" in sql
        assert stream.prefix("${environment}") in sql
        assert stream.table.lower() in tables
