"""What is deployed into Snowflake: the app that `.ci/build` makes of `infra/streamlit`."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import sqlglot
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from veracitypro_pipeline.cli.dashboard import OPTIONS
from veracitypro_pipeline.cli.infra import FOLDER, parameters_of
from veracitypro_pipeline.infra_plan import InfraObject, statements_of
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

APP: Final = REPOSITORY_DIR / "infra" / "streamlit"
# As the Snowflake CLI fills them in.
DEFINITION: Final = yaml.safe_load(
    (APP / "snowflake.yml").read_text().replace("<% ctx.env.SNOWFLAKE_DATABASE %>", "VP_DWH_2")
)
SETTINGS: Final = Settings.load(
    environment="dev",
    snowflake_database="VP_DWH_2",
    snowflake_storage_role_arn="arn:aws:iam::123456789012:role/vp-snowflake-dev",
)
RUNTIME: Final = re.sub(r"--[^\n]*", "", (APP / "runtime.sql").read_text()).replace(
    "<% database %>", SETTINGS.snowflake_database
)
STATEMENTS: Final = [" ".join(part.split()) for part in RUNTIME.split(";") if part.strip()]
# All that a page needs before it asks Snowflake something, where only some packages are installed.
IMPORT: Final = """
import json, sys
hidden = set(json.loads(sys.argv[1]))
class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Hiding())
import snowflake.connector
import veracitypro_pipeline.dashboard.app
import veracitypro_pipeline.resources.warehouse.snowflake_given
print(veracitypro_pipeline.__file__)
"""

pytestmark = pytest.mark.xdist_group("graph")


@pytest.fixture(scope="module")
def app(wheel: Path) -> Path:
    """As it is before the step that says which environment it is in."""
    return wheel.parent / "streamlit"


def entity() -> dict[str, Any]:
    (only,) = DEFINITION["entities"].values()
    assert isinstance(only, dict)
    return only


def test_every_file_that_the_definition_names_is_made(app: Path) -> None:
    assert DEFINITION["definition_version"] == 2
    assert entity()["type"] == "streamlit"
    artifacts = set(entity()["artifacts"])
    assert entity()["main_file"] in artifacts
    assert {name for name in artifacts if not (app / name).exists()} == {".env"}
    said = (APP / "README.md").read_text()
    assert "> dist/streamlit/.env" in said


def test_what_the_app_uses_is_made_by_the_sql_beside_it_or_by_vp_infra() -> None:
    made = {
        made.name
        for statement in statements_of(FOLDER, parameters_of(SETTINGS))
        for made in statement.makes
        if isinstance(made, InfraObject)
    }
    for statement in STATEMENTS:
        if created := re.match(r"create [a-z ]+ if not exists (\w+)", statement):
            made.add(created.group(1))
    place = entity()["identifier"]
    used = [
        *(entity()["query_warehouse"], entity()["compute_pool"], place["database"]),
        *(f"{place['database']}.{place['schema']}", *entity()["external_access_integrations"]),
        *(grant["role"] for grant in entity()["grants"]),
    ]
    assert [name for name in used if name not in made] == []
    assert place["database"] == SETTINGS.snowflake_database


def test_its_sql_makes_what_it_runs_on_and_grants_the_owner_no_writing() -> None:
    privileges = set()
    for statement in STATEMENTS:
        (parsed,) = sqlglot.parse(statement, dialect="snowflake")
        assert parsed is not None, statement
        granted = re.fullmatch(r"grant (.+?) on .+ to role DASHBOARD_ROLE", statement)
        if granted:
            privileges.add(granted.group(1))
        else:
            assert re.match(r"use |create [a-z ]+ if not exists ", statement), statement
    assert privileges == {"usage", "select", "create streamlit"}
    # The tables that `vp infra apply` covers for the future, no more and no less.
    for kind in ("tables", "views"):
        later = re.findall(
            rf"future {kind} in schema \S+?(\w+) to role DASHBOARD_ROLE",
            (FOLDER / "04_grants.sql").read_text(),
        )
        now = re.findall(rf"on all {kind} in schema (\w+)", RUNTIME)
        assert sorted(now) == sorted(later) == ["MART", "MONITORING", "STG"]


def test_it_looks_as_the_pages_of_vp_dashboard() -> None:
    options = tomllib.loads((APP / ".streamlit" / "config.toml").read_text())
    flat = {f"{part}.{name}": value for part, of in options.items() for name, value in of.items()}
    assert flat == {
        name: value for name, value in OPTIONS.items() if name.startswith(("client.", "theme."))
    }


def test_its_packages_are_the_pinned_ones_and_enough(app: Path) -> None:
    pinned = (REPOSITORY_DIR / "requirements.txt").read_text().splitlines()
    required = (app / "requirements.txt").read_text().splitlines()
    assert set(required) < set(pinned)
    there = with_all_they_need([Requirement(line).name for line in required])
    hidden = [
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if module != "veracitypro_pipeline"
        and there.isdisjoint(map(canonicalize_name, distributions))
    ]
    assert {"dagster", "dbt", "duckdb"} <= set(hidden)
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORT, json.dumps(hidden)],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert Path(outcome.stdout.strip()).is_relative_to(app)


def with_all_they_need(names: list[str]) -> set[str]:
    """The distributions with all that they require, as installed here."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in found:
            found.add(name)
            for line in importlib.metadata.requires(name) or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    wanted.append(needed.name)
    return found
