"""Whose warehouse, role and schemas `dbt_project/profiles.yml` names, by hand or not."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from jinja2 import Environment
from jinja2.nativetypes import NativeEnvironment

from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

PROFILE: Mapping[str, Any] = yaml.safe_load(
    (REPOSITORY_DIR / "dbt_project" / "profiles.yml").read_text()
)["veracitypro"]


def connection(variables: Mapping[str, str]) -> dict[str, Any]:
    """The target and its output as dbt renders them in an environment of these variables."""
    jinja: Environment = NativeEnvironment()
    jinja.filters["as_native"] = lambda value: value

    def env_var(name: str, default: str | None = None) -> str:
        value = variables.get(name, default)
        assert value is not None, f"Env var required but not provided: {name!r}"
        return value

    def rendered(value: Any) -> Any:
        text = isinstance(value, str) and "{{" in value
        return jinja.from_string(value).render(env_var=env_var) if text else value

    target = rendered(PROFILE["target"])
    output = PROFILE["outputs"][target]
    return {"target": target, **{name: rendered(value) for name, value in output.items()}}


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, "../.vp/warehouse/vp_dwh.duckdb"),
        ({"VP_HOME": "/home/of"}, "/home/of/warehouse/vp_dwh.duckdb"),
        ({"VP_HOME": "/home/of", "VP_WAREHOUSE_PATH": "/other.duckdb"}, "/other.duckdb"),
        ({"VP_HOME": "", "VP_WAREHOUSE_PATH": ""}, "../.vp/warehouse/vp_dwh.duckdb"),
    ],
)
def test_by_hand_dbt_finds_the_warehouse_of_the_home(variables: dict[str, str], path: str) -> None:
    found = connection(variables)
    assert (found["target"], found["path"], found["schema"]) == ("local", path, "STG")


# What a shell has after `set -a; . ./.env`.
EXPORTED = {"VP_ENVIRONMENT": "dev", "SNOWFLAKE_USER": "ANNA", "SNOWFLAKE_ROLE": "DAGSTER_ROLE"}


@pytest.mark.parametrize(
    ("variables", "role", "schema"),
    [
        ({}, "DBT_ROLE", "ANNA"),
        ({"SNOWFLAKE_DBT_ROLE": "ANNAS_ROLE"}, "ANNAS_ROLE", "ANNA"),
        ({"DBT_SCHEMA": "REVIEW_7"}, "DBT_ROLE", "REVIEW_7"),
        ({"VP_ENVIRONMENT": "prod"}, "DBT_ROLE", "STG"),
    ],
)
def test_by_hand_dbt_has_a_role_and_schemas_that_are_not_the_pipelines(
    variables: dict[str, str], role: str, schema: str
) -> None:
    found = connection(EXPORTED | variables)
    assert found["target"] == variables.get("VP_ENVIRONMENT", "dev")
    assert (found["role"], found["schema"]) == (role, schema)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_pipeline_builds_its_own_schemas_whatever_the_shell_says(
    environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_SCHEMA", "REVIEW_7")
    settings = Settings.load(
        environment=environment, snowflake_user="PIPELINE", snowflake_dbt_role="A_ROLE"
    )
    found = connection(dbt_command.environment(settings, settings.home_dir))
    assert found["target"] == environment
    assert (found["role"], found["schema"]) == ("A_ROLE", "STG")
