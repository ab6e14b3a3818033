"""The README against the code: what it names is there."""

import re
import shlex
import subprocess

import click
import pytest

from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.run_summary import RunSummary, Stage
from veracitypro_pipeline.settings import REPOSITORY_DIR

README = (REPOSITORY_DIR / "README.md").read_text()
VP_COMMANDS = re.findall(r"^\.venv/bin/vp (.+?)(?:\s+#.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("words", VP_COMMANDS)
def test_each_vp_command_is_one_that_vp_understands(words: str) -> None:
    """Parsed, not run: the journeys run them."""
    name, *arguments = shlex.split(words)
    context = click.Context(vp)
    command = vp.get_command(context, name)
    assert command is not None, name
    command.make_context(name, arguments, parent=context)


def test_the_readme_names_each_command_of_vp_and_each_stage() -> None:
    for name in vp.list_commands(click.Context(vp)):
        assert f"vp {name}" in README
    for stage in STAGES:
        assert re.search(rf"^\| {stage} \|", README, re.MULTILINE)


def test_the_documented_json_has_the_fields_of_the_summary() -> None:
    (paragraph,) = [text for text in README.split("\n\n") if text.startswith("`--json` prints")]
    for field in (*RunSummary.model_fields, *Stage.model_fields):
        assert f"`{field}`" in paragraph, field


def test_paths_in_the_readme_exist() -> None:
    places = set(re.findall(r"`((?:dbt_project|veracitypro_pipeline|infra)/[\w/.]+)`", README))
    assert len(places) >= 5
    for place in places:
        assert (REPOSITORY_DIR / place).exists(), place


def test_ci_runs_the_command_of_the_readme() -> None:
    """What `.ci/run` cuts out of the README is exactly the command under "Tests"."""
    (line,) = [
        line for line in (REPOSITORY_DIR / ".ci" / "run").read_text().splitlines() if "sed" in line
    ]
    cut = subprocess.run(
        ["bash", "-c", line.partition(" | ")[0]],
        cwd=REPOSITORY_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (block,) = re.findall(r"<!-- tests -->\n```bash\n(.+?)```", README, re.DOTALL)
    assert cut == block
    assert "pytest" in block
