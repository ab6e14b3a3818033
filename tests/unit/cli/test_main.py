"""The `vp` command itself."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from veracitypro_pipeline.cli.main import vp

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
