"""The `vp` command itself."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import duckdb
import pytest
import sqlalchemy
from click.testing import CliRunner

from veracitypro_pipeline.cli import event_storage
from veracitypro_pipeline.cli.main import _sentence, vp


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`--home` sets a variable of the process and its children, which is reset here."""
    with monkeypatch.context() as patch:
        patch.setenv("VP_HOME", ".vp")
        yield


VP: Final = str(Path(sys.executable).parent / "vp")
# Packages that take a third of a second or more to import.
HEAVY = ("dagster", "duckdb", "pydantic", "requests", "snowflake.connector")


def test_every_listed_command_exists() -> None:
    context = click.Context(vp)
    for name in vp.list_commands(context):
        command = vp.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


def test_help_imports_nothing_slow() -> None:
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


def test_without_streamlit_the_hint_installs_from_the_checkout_not_from_pypi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The project's name is free on PyPI: a stranger's package would be installed."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    outcome = CliRunner().invoke(vp, ["dashboard"])
    assert outcome.exit_code == 2
    assert "pip install -c requirements.txt -e '.[dashboard]'" in outcome.output
    assert "veracitypro-pipeline[" not in outcome.output


@pytest.mark.parametrize("command", ["run", "dev", "doctor"])
def test_a_home_that_cannot_be_written_is_named(command: str, tmp_path: Path) -> None:
    """Its parent is a file; permissions would not stop root."""
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / "file" / "home"
    outcome = CliRunner().invoke(vp, [command, "--home", str(home)])
    assert outcome.exit_code == 2
    assert f"vp: The home {home} cannot be written (Not a directory: {home}" in outcome.stderr
    assert "name another with --home or VP_HOME." in outcome.stderr


def test_an_error_of_another_file_does_not_name_the_home(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    assert "elsewhere" in _sentence(PermissionError(13, "Permission denied", str(place)))
    assert "--home" not in _sentence(PermissionError(13, "Permission denied", str(place)))


def test_a_locked_database_of_dagster_is_named_without_its_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VP_HOME", str(tmp_path))
    monkeypatch.setattr(event_storage, "SQLITE_BUSY_TIMEOUT_SECONDS", 0)
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'runs.db'}?timeout=0")
    with sqlite3.connect(tmp_path / "runs.db") as holder, engine.connect() as connection:
        holder.execute("begin exclusive")
        with pytest.raises(sqlalchemy.exc.OperationalError) as held:
            connection.exec_driver_sql("create table runs (run_id)")
    assert _sentence(held.value) == (
        f"Dagster's databases in {tmp_path / 'dagster'} cannot be used (database is locked): end"
        " the program that holds one of them, or wait for it, then try again."
    )


@pytest.mark.parametrize(("encoding", "form"), [("ascii", "table"), ("latin-1:strict", "json")])
def test_characters_that_the_terminal_lacks_are_escaped(
    encoding: str, form: str, small_home: Path
) -> None:
    title = "Zähler \N{EN DASH} ピックル"
    outcome = subprocess.run(
        [VP, "sql", "--home", str(small_home), "--format", form, f"select '{title}' as title"],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert outcome.returncode == 0, outcome.stderr
    text = outcome.stdout.decode(encoding.partition(":")[0])
    assert "\\u30d4" in text
    if form == "json":
        assert json.loads(text) == [{"title": title}]


@pytest.mark.parametrize("port", ["99999", "-1", "0"])
def test_an_invalid_port_is_not_called_in_use(port: str) -> None:
    outcome = CliRunner().invoke(vp, ["dev", "--port", port])
    assert outcome.exit_code == 2
    assert "1<=x<=65535" in outcome.stderr


@pytest.fixture(scope="module")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose warehouse has one table of two rows and a view."""
    home = tmp_path_factory.mktemp("small") / "home"
    (home / "warehouse").mkdir(parents=True)
    with duckdb.connect(str(home / "warehouse" / "vp_dwh.duckdb")) as db:
        db.execute("create schema MART; create table MART.DIM as from range(2) as t (number)")
        db.execute("create view MART.FCT as from MART.DIM")
    return home


@pytest.mark.parametrize("query", ["", " ", ";", "/* nothing */"])
def test_a_query_without_a_statement_is_rejected(query: str, small_home: Path) -> None:
    outcome = CliRunner().invoke(vp, ["sql", query, "--home", str(small_home)])
    assert outcome.exit_code == 2
    assert outcome.stderr == "vp: The query cannot be run: There is no statement.\n"


@pytest.mark.parametrize(
    "query", ["select 1; select 2", "select 1;select 2;", "show tables; select ';' -- ; \n; from x"]
)
def test_several_statements_are_rejected(query: str, small_home: Path) -> None:
    """Only the rows of the last one would be shown."""
    outcome = CliRunner().invoke(vp, ["sql", query, "--home", str(small_home)])
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert re.search(r"There are [23] statements: run one at a time.\n$", outcome.stderr)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("show tables", "MART,DIM,table MART,FCT,view"),
        ("SHOW TABLES IN SCHEMA mart;", "MART,DIM,table MART,FCT,view"),
        ("show tables like 'd%' in vp_dwh.MART", "MART,DIM,table"),
        ("show tables in STG", ""),
        ("show views", "MART,FCT,view"),
        ("describe", "MART,DIM,table MART,FCT,view"),
        ("show schemas", "MART"),
        ("show columns in MART.DIM", "MART,DIM,number,BIGINT,"),
        ("describe MART.DIM", "number,BIGINT,YES,,,"),
        ("select ';' as a -- ; \n;", ";"),
    ],
)
def test_show_and_describe_see_all_schemas(query: str, rows: str, small_home: Path) -> None:
    """DuckDB's own `show` covers the schema `main`, which is empty here."""
    outcome = CliRunner().invoke(vp, ["sql", query, "--format", "csv", "--home", str(small_home)])
    assert outcome.exit_code == 0, outcome.stderr
    assert " ".join(outcome.stdout.splitlines()[1:]) == rows


MANY_ROWS: Final = "select range, repeat('x', 80) as filler from range(300000)"


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_closed_output_ends_the_command_quietly(form: str, small_home: Path) -> None:
    """As in `vp sql ... | head -1`, with the exit code of a command that SIGPIPE ended."""
    command = [VP, "sql", MANY_ROWS, "--format", form, "--home", str(small_home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.parametrize("arguments", [["--help"], ["sql", "--help"], ["sql", "select 1"]])
def test_output_closed_before_the_first_line_ends_the_command_quietly(
    arguments: list[str], small_home: Path
) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        outcome = subprocess.run(
            [VP, *arguments],
            env={**os.environ, "VP_HOME": str(small_home)},
            stdout=writes,
            stderr=subprocess.PIPE,
        )
    finally:
        os.close(writes)
    assert (outcome.returncode, outcome.stderr) == (141, b"")


def test_full_output_is_an_error_and_full_standard_error_is_not(
    small_home: Path,
) -> None:
    command = [VP, "sql", "--home", str(small_home)]
    with Path("/dev/full").open("wb") as full:
        outcome = subprocess.run([*command, "select 1"], stdout=full, stderr=subprocess.PIPE)
        assert outcome.returncode == 2
        assert outcome.stderr == (
            b"vp: Standard output cannot be written: No space left on device.\n"
        )
        silent = subprocess.run([*command, "selec"], stdout=subprocess.PIPE, stderr=full)
        assert (silent.returncode, silent.stdout) == (2, b"")


def test_a_shell_completes_commands_as_the_help_says() -> None:
    assert "_VP_COMPLETE=bash_source vp" in CliRunner().invoke(vp, ["--help"]).output
    completion = {"_VP_COMPLETE": "bash_complete", "COMP_WORDS": "vp ba", "COMP_CWORD": "1"}
    outcome = subprocess.run(VP, env={**os.environ, **completion}, capture_output=True, text=True)
    assert outcome.stdout == "plain,backfill\n"
