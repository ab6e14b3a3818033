"""What is deployed: the wheel of `.ci/build`, alone, loads the graph that the checkout has."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from veracitypro_pipeline.settings import REPOSITORY_DIR

# Refuses every connection, look-up of a name and start of dbt; the checkout is not on the path, so
# that only the wheel can be found.
ALONE: Final = """
import json, sys
checkout = sys.argv[1]
sys.path[:] = [entry for entry in sys.path if entry != checkout]
def refuse(event, arguments):
    is_dbt = event == "subprocess.Popen" and "dbt.cli" in " ".join(map(str, arguments[1]))
    if is_dbt or event in ("socket.connect", "socket.getaddrinfo"):
        raise AssertionError(f"the code location did {event} {arguments}")
sys.addaudithook(refuse)
"""
LOAD: Final = """
from veracitypro_pipeline.definitions import defs
print(json.dumps(sorted(key.to_user_string() for key in
                        defs.resolve_asset_graph().get_all_asset_keys())))
"""
MANIFEST_ONLY: Final = """
from veracitypro_pipeline.resources.dbt.command import manifest_path
from veracitypro_pipeline.settings import Settings
print(manifest_path(Settings.load()))
"""

pytestmark = pytest.mark.xdist_group("graph")


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    target = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(target)
    return target


def alone(installed: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """Run code where the wheel is all there is of this project, on the settings of production."""
    elsewhere = installed.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", ALONE + code, str(REPOSITORY_DIR)],
        cwd=elsewhere,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(installed),
            "VP_ENVIRONMENT": "prod",
            "SNOWFLAKE_ACCOUNT": "account",
            "SLACK_BOT_TOKEN": "dummy",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_alone_loads_the_graph_of_the_checkout(installed: Path) -> None:
    outcome = alone(installed, LOAD)
    assert outcome.returncode == 0, outcome.stderr
    reviewed = json.loads((Path(__file__).parent / "graph.json").read_text())["assets"]
    assert json.loads(outcome.stdout) == sorted(reviewed)
    assert list((installed.parent / "elsewhere").iterdir()) == []


def test_the_wheel_brings_along_what_a_deployment_is_made_from(installed: Path) -> None:
    bundle = installed / "veracitypro_pipeline" / "bundle"
    for folder in ("dbt_project", "infra"):
        at_home = {
            path.relative_to(REPOSITORY_DIR)
            for path in (REPOSITORY_DIR / folder).rglob("*")
            if path.is_file() and not {"target", "logs"} & set(path.parts)
        }
        packed = {path.relative_to(bundle) for path in (bundle / folder).rglob("*")}
        assert at_home <= packed
    assert {path.name for path in (bundle / "dbt_project" / "target").iterdir()} == {
        "manifest.json",
        "manifest.sources",
    }


def test_a_wheel_packed_without_its_manifest_says_so_when_it_loads(installed: Path) -> None:
    shutil.rmtree(installed / "veracitypro_pipeline" / "bundle" / "dbt_project" / "target")
    outcome = alone(installed, LOAD)
    assert outcome.returncode == 1
    last = outcome.stderr.splitlines()[-1]
    assert "ManifestMissingError: There is no dbt manifest at " in last
    assert "`.ci/build`" in last


def test_a_manifest_of_other_files_is_refused(installed: Path) -> None:
    project = installed / "veracitypro_pipeline" / "bundle" / "dbt_project"
    assert alone(installed, MANIFEST_ONLY).stdout.strip() == str(
        project / "target" / "manifest.json"
    )
    (project / "models" / "mart" / "dim" / "dim_seller.sql").unlink()
    outcome = alone(installed, MANIFEST_ONLY)
    assert outcome.returncode == 1
    assert "was made from other files than those in" in outcome.stderr.splitlines()[-1]
