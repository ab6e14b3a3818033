"""The `vp` command itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import duckdb
import pytest
from click.testing import CliRunner

from veracitypro_pipeline.cli.main import _sentence, vp


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`--home` sets a variable of the process, for those that it starts."""
    with monkeypatch.context() as patch:
        patch.setenv("VP_HOME", ".vp")
        yield


# What takes a third of a second or more to import.
HEAVY = ("dagster", "duckdb", "pydantic", "requests", "snowflake.connector")


def test_every_command_of_the_list_is_there() -> None:
    context = click.Context(vp)
    for name in vp.list_commands(context):
        command = vp.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_help_loads_nothing_that_takes_time() -> None:
    program = f"""
import sys
from veracitypro_pipeline.cli.main import vp
vp(["--help"], standalone_mode=False)
loaded = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "sql" in outcome.stdout


def test_without_streamlit_the_pages_are_had_from_the_checkout_and_not_from_pypi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The project's name is free there: whoever takes it would be installed."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    outcome = CliRunner().invoke(vp, ["dashboard"])
    assert outcome.exit_code == 2
    assert "pip install -c requirements.txt -e '.[dashboard]'" in outcome.output
    assert "veracitypro-pipeline[" not in outcome.output


@pytest.mark.parametrize("command", ["run", "dev", "doctor"])
def test_a_home_that_cannot_be_written_is_said_to_be(command: str, tmp_path: Path) -> None:
    """A file stands where its parent should be; permissions would not hold up an administrator."""
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / "file" / "home"
    outcome = CliRunner().invoke(vp, [command, "--home", str(home)])
    assert outcome.exit_code == 2
    assert f"vp: The home {home} cannot be written (Not a directory: {home}" in outcome.stderr
    assert "name another with --home or VP_HOME." in outcome.stderr


def test_a_file_elsewhere_is_not_taken_for_the_home(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    assert "elsewhere" in _sentence(PermissionError(13, "Permission denied", str(place)))
    assert "--home" not in _sentence(PermissionError(13, "Permission denied", str(place)))


@pytest.mark.parametrize("port", ["99999", "-1", "0"])
def test_a_port_that_does_not_exist_is_not_said_to_be_in_use(port: str) -> None:
    outcome = CliRunner().invoke(vp, ["dev", "--port", port])
    assert outcome.exit_code == 2
    assert "1<=x<=65535" in outcome.stderr


@pytest.mark.parametrize("query", ["", " ", ";", "/* nothing */"])
def test_a_query_without_a_statement_is_refused(query: str, tmp_path: Path) -> None:
    file = tmp_path / "warehouse" / "vp_dwh.duckdb"
    file.parent.mkdir()
    duckdb.connect(str(file)).close()
    outcome = CliRunner().invoke(vp, ["sql", query, "--home", str(tmp_path)])
    assert outcome.exit_code == 2
    assert outcome.stderr == "vp: The query cannot be run: It holds no statement.\n"


def test_a_shell_completes_commands_as_the_help_says() -> None:
    assert "_VP_COMPLETE=bash_source vp" in CliRunner().invoke(vp, ["--help"]).output
    asked = {"_VP_COMPLETE": "bash_complete", "COMP_WORDS": "vp ba", "COMP_CWORD": "1"}
    command = str(Path(sys.executable).parent / "vp")
    outcome = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True)
    assert outcome.stdout == "plain,backfill\n"
