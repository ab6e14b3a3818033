"""The files for Dagster Cloud and GitHub are valid by their own schemas and tools."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import typer
import yaml

from veracitypro_pipeline.cli.instance import CONFIGURATIONS
from veracitypro_pipeline.settings import REPOSITORY_DIR

DEPLOYMENT_SETTINGS: Final = "infra/dagster/deployment_settings.yaml"
SET_SETTINGS: Final = f"dagster-cloud deployment settings set-from-file {DEPLOYMENT_SETTINGS}"
BIN: Final = Path(sys.executable).parent
GITHUB: Final = REPOSITORY_DIR / ".github"
WORKFLOWS: Final = sorted((GITHUB / "workflows").glob("*.yml"))
DOCUMENTS: Final = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
STEPS: Final = [
    step
    for document in DOCUMENTS.values()
    for job in document["jobs"].values()
    for step in job["steps"]
]


def dagster_cloud_commands() -> list[list[str]]:
    return [
        shlex.split(step["run"])[1:]
        for step in STEPS
        if step.get("run", "").startswith("dagster-cloud ")
    ]


def test_a_deployment_runs_one_run_at_a_time_as_a_laptop_does() -> None:
    """Two concurrent runs would replace each other's rows; dbt does not prevent that."""
    settings = yaml.safe_load((REPOSITORY_DIR / DEPLOYMENT_SETTINGS).read_text())
    on_a_laptop = yaml.safe_load(CONFIGURATIONS["dagster.yaml"])
    assert settings == {"concurrency": on_a_laptop["concurrency"]}
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 1

    assert f"`{SET_SETTINGS}`" in (REPOSITORY_DIR / "infra" / "README.md").read_text()


def test_the_code_location_is_one_that_dagster_cloud_accepts(tmp_path: Path) -> None:
    from dagster_cloud_cli.commands.ci.checks import check_dagster_cloud_yaml
    from dagster_cloud_cli.config.models import load_dagster_cloud_yaml

    text = (REPOSITORY_DIR / "dagster_cloud.yaml").read_text()
    (tmp_path / "dagster_cloud.yaml").write_text(text)
    (tmp_path / "dist").mkdir()  # `.ci/build` creates it.
    assert check_dagster_cloud_yaml(tmp_path / "dagster_cloud.yaml").errors == []

    (location,) = load_dagster_cloud_yaml(text).locations
    in_development = yaml.safe_load((REPOSITORY_DIR / "workspace.yaml").read_text())
    (python_module,) = in_development["load_from"]
    assert location.code_source is not None
    assert location.code_source.module_name == python_module["python_module"]["module_name"]
    assert location.location_name == python_module["python_module"]["location_name"]
    assert location.code_source.module_name is not None
    assert importlib.util.find_spec(location.code_source.module_name) is not None


@pytest.mark.parametrize(
    "arguments", [*dagster_cloud_commands(), shlex.split(SET_SETTINGS)[1:]], ids=" ".join
)
def test_each_step_of_the_deployment_is_a_command_of_dagster_cloud(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed by the CLI itself, but not run: a wrong option would otherwise fail only in a
    deployment."""
    from dagster_cloud_cli.entrypoint import app

    monkeypatch.chdir(REPOSITORY_DIR)
    monkeypatch.setenv("DAGSTER_BUILD_STATEDIR", "state")
    monkeypatch.setenv("DAGSTER_CLOUD_ORGANIZATION", "organization")
    monkeypatch.setenv("DAGSTER_CLOUD_API_TOKEN", "dummy")
    command: Any = typer.main.get_command(app)
    context = None
    while hasattr(command, "commands"):
        name, *arguments = arguments
        context = click.Context(command, info_name=name, parent=context)
        command = command.commands[name]
    command.make_context(command.name, arguments, parent=context)


def test_the_steps_of_the_deployment_are_there_in_order() -> None:
    assert [command[:2] for command in dagster_cloud_commands()] == [
        ["ci", "init"],
        ["ci", "build"],
        ["ci", "deploy"],
    ]


def test_only_what_passed_is_deployed_and_only_to_our_deployments() -> None:
    jobs = DOCUMENTS["ci.yml"]["jobs"]
    assert set(jobs["deploy"]["needs"]) == set(jobs) - {"deploy"}
    assert set(re.findall(r"'(vp-\w+)'", str(jobs["deploy"]["env"]))) == {"vp-dev", "vp-prod"}
    assert set(re.findall(r"'(vp-\w+)'", jobs["deploy"]["environment"])) == {
        "vp-branch",
        "vp-dev",
        "vp-prod",
    }


def test_actions_are_pinned_by_commit_with_their_version_beside_it() -> None:
    uses = [line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line]
    assert len(uses) == sum("uses" in step for step in STEPS) > 0
    pinned = re.compile(r" +- uses: actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in uses if not pinned.fullmatch(line)] == []
    # Each action has the same version everywhere, so that no update misses one.
    assert len(set(map(str.strip, uses))) == len({line.partition("@")[0] for line in uses})


def test_a_job_may_read_the_code_and_nothing_else() -> None:
    for document in DOCUMENTS.values():
        assert document["permissions"] == {}
        for job in document["jobs"].values():
            assert job["permissions"] == {"contents": "read"}


def test_tools_of_the_workflows_are_installed_in_their_pinned_versions() -> None:
    """Only the weekly test of the newest versions installs without constraints."""
    installs = [step for step in STEPS if "pip install" in step.get("run", "")]
    free = [step["name"] for step in installs if "--constraint requirements.txt" not in step["run"]]
    assert free == ["Install without constraints"]


def test_hooks_before_a_commit_call_tools_that_are_installed() -> None:
    configuration = yaml.safe_load((REPOSITORY_DIR / ".pre-commit-config.yaml").read_text())
    (local,) = configuration["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        assert (BIN / shlex.split(hook["entry"])[0]).exists(), hook["id"]
        if "files" in hook:
            pattern = re.compile(hook["files"])
            found = (
                path.relative_to(REPOSITORY_DIR).as_posix()
                for folder in ("dbt_project/models", ".github", "infra")
                for path in (REPOSITORY_DIR / folder).rglob("*")
            )
            assert any(map(pattern.search, found)), hook["id"]


def test_a_python_that_cannot_build_is_explained_in_one_sentence(tmp_path: Path) -> None:
    """The README's first environment lacks the build tools."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho Traceback >&2\nexit 1\n")
    python.chmod(0o755)
    outcome = subprocess.run(
        [REPOSITORY_DIR / ".ci" / "build"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 2
    (sentence,) = outcome.stderr.splitlines()
    assert f"({python}) lacks this project with its extra dev" in sentence
