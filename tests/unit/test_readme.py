"""The README against the code: what it names is there."""

import re
import shlex
import subprocess
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

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


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words after `vp`."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *path, name)


COMMANDS = dict(leaves(vp))
OF_ALL = {"--home", "--debug"}


def test_the_table_of_options_is_that_of_the_commands() -> None:
    """Both ways: no command and no option is missing, and none is made up."""
    (table,) = re.findall(r"<!-- options -->\n((?:\|.*\n)+)", README)
    documented = {
        name: set(re.findall(r"`(--[a-z-]+)`", cells[2]))
        for cells in (row.split("|") for row in table.splitlines()[2:])
        for name in re.findall(r"`vp ([a-z ]+)`", cells[1])
    }
    real = {
        name: {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        for name, command in COMMANDS.items()
    }
    assert all(options >= OF_ALL for options in real.values())
    assert documented == {name: options - OF_ALL for name, options in real.items()}


@pytest.mark.parametrize("name", ["", "infra", *COMMANDS])
def test_each_help_fits_a_terminal_of_100_columns_and_is_complete(name: str) -> None:
    for width in (80, 100):
        answer = CliRunner().invoke(vp, [*name.split(), "--help"], terminal_width=width)
        assert answer.exit_code == 0
        assert max(map(len, answer.output.splitlines())) <= width
        # So Click ends a text that it has cut.
        assert "..." not in answer.output.replace("[ARGS]...", "")
    if name in COMMANDS:
        command = COMMANDS[name]
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, parameter.name


def test_the_documented_json_has_the_fields_of_the_summary() -> None:
    (paragraph,) = [text for text in README.split("\n\n") if text.startswith("`--json` prints")]
    for field in (*RunSummary.model_fields, *Stage.model_fields):
        assert f"`{field}`" in paragraph, field


def test_paths_in_the_readme_exist() -> None:
    places = set(re.findall(r"`((?:dbt_project|veracitypro_pipeline|infra)/[\w/.]+)`", README))
    assert len(places) >= 5
    for place in places:
        assert (REPOSITORY_DIR / place).exists(), place


def test_the_pictures_are_those_of_the_readme_and_small() -> None:
    """`pytest tests/journeys --pictures` takes them anew."""
    folder = REPOSITORY_DIR / ".github" / "images"
    shown = set(re.findall(r"!\[[^]]+\]\(\.github/images/([\w.]+)\)", README))
    assert shown == {file.name for file in folder.iterdir()}
    assert all(file.stat().st_size < 150_000 for file in folder.iterdir())


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
