"""dbt as the transform stage runs it: its events are recorded while it works, and it stops with its
run. The tests use a project of two models."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
import duckdb
import pytest

from tests.support.settings import fixed
from veracitypro_pipeline.code_links import CodeLinks
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.dbt import process as dbt_process
from veracitypro_pipeline.resources.dbt.command import (
    MANIFEST,
    build_folder,
    manifest_path,
)
from veracitypro_pipeline.resources.dbt.resource import DbtResource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.transform.assets import build_assets

DAY: Final = "2026-01-01"
RUN_ID: Final = "11111111-1111-1111-1111-111111111111"
PROJECT: Final = "name: small\nprofile: veracitypro\n"
FIRST: Final = "select 1 as n"
# Writes a file when it starts, and waits for another file.
SECOND: Final = """
import os
import time
from pathlib import Path

def model(dbt, session):
    dbt.ref("first")
    folder = Path(os.environ["VP_WAREHOUSE_PATH"]).parent
    (folder / "at_work").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    return session.sql("select 2 as n")
"""
FIRST_YML: Final = "models: [{name: first, columns: [{name: n, data_tests: [unique]}]}]"
DOUBLED: Final = f"{FIRST} union all {FIRST}"
# Runs dbt, and drops the results of the second model and of tests.
FORGETFUL: Final = """
import subprocess, sys
from veracitypro_pipeline.resources.dbt.process import command
with subprocess.Popen(command(*sys.argv[1:]), stdout=subprocess.PIPE, text=True) as dbt:
    for line in dbt.stdout:
        if "LogTestResult" in line or ("LogModelResult" in line and "model.small.second" in line):
            continue
        print(line, end="", flush=True)
sys.exit(dbt.returncode)
"""
# A failing test that does not stop the models after it.
WARNS: Final = "\ndata_tests: {+severity: warn}\n"


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a parsed manifest."""
    folder = tmp_path_factory.mktemp("small")
    models = folder / "project" / "models" / "stg"
    models.mkdir(parents=True)
    for name in ("macros", "seeds", "tests"):
        (folder / "project" / name).mkdir()
    (folder / "project" / "dbt_project.yml").write_text(PROJECT)
    shutil.copy(REPOSITORY_DIR / "dbt_project" / "profiles.yml", folder / "project")
    (models / "first.sql").write_text(FIRST)
    (models / "first.yml").write_text(FIRST_YML)
    (models / "second.py").write_text(SECOND)
    manifest_path(settings_of(folder))
    return folder


def settings_of(folder: Path) -> Settings:
    return Settings.load(home=folder / "home", dbt_project_dir=folder / "project")


@pytest.fixture
def folder(parsed: Path, tmp_path: Path) -> Path:
    """A copy for each test, because some tests break it."""
    return Path(shutil.copytree(parsed, tmp_path / "small"))


# Variables of dbt that another project, a container image or a user may have set.
FOREIGN: Final = {
    "QUIET": "true",
    "LOG_LEVEL": "error",
    "LOG_LEVEL_FILE": "none",
    "LOG_FORMAT": "text",
    "LOG_FORMAT_FILE": "json",
    "USE_COLORS": "true",
    "PRINT": "false",
    "WRITE_JSON": "false",
    "RESOURCE_TYPES": "seed",
    "EXCLUDE_RESOURCE_TYPES": "test",
    "EMPTY": "true",
    "SAMPLE": "3 days",
    "FULL_REFRESH": "true",
    "FAIL_FAST": "true",
    "WARN_ERROR": "true",
    "STORE_FAILURES": "true",
    "INDIRECT_SELECTION": "empty",
    "TARGET": "prod",
    "PROFILE": "nowhere",
    "PROFILES_DIR": "/nowhere",
    "PROJECT_DIR": "/nowhere",
    "TARGET_PATH": "/nowhere",
    "STATE": "/nowhere",
    "DEFER": "true",
    "ENV_SECRET_SNOWFLAKE_PASSWORD": "x",
}


class Night:
    """One run of the models in this process, and its events in the order of recording."""

    def __init__(self, folder: Path, on_event: Callable[[str], None] = lambda _name: None) -> None:
        settings = settings_of(folder)
        self.recorded: list[str] = []
        with dg.DagsterInstance.ephemeral() as instance:
            run_id = RUN_ID

            def keep(entry: dg.EventLogEntry) -> None:
                if (name := _name(entry)) is not None:
                    self.recorded.append(name)
                    on_event(name)

            instance.add_event_listener(run_id, keep)
            result = (
                dg.Definitions(
                    build_assets(
                        dg.RetryPolicy(max_retries=0),
                        settings.dbt_target_dir / MANIFEST,
                        columns={},
                        runbook_of=runbooks.of_check,
                        code=CodeLinks(),
                    ),
                    resources={
                        "dbt": DbtResource(settings=fixed(settings)),
                        "warehouse": WarehouseResource(settings=fixed(settings)),
                    },
                    jobs=[dg.define_asset_job("night")],
                    executor=dg.in_process_executor,
                )
                .resolve_job_def("night")
                .execute_in_process(
                    run_id=run_id, instance=instance, partition_key=DAY, raise_on_error=False
                )
            )
        self.success = result.success
        self.failures = [
            str(event.step_failure_data.user_failure_data.description)
            for event in result.get_step_failure_events()
            if event.step_failure_data.user_failure_data
        ]


def _name(entry: dg.EventLogEntry) -> str | None:
    """The name of the asset or check of an event."""
    event = entry.dagster_event
    if event is None:
        return None
    if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        return str(event.step_materialization_data.materialization.asset_key.path[-1])
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return event.asset_check_evaluation_data.check_name
    return None


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", None, "\xff"])
def test_a_damaged_manifest_is_parsed_again(
    folder: Path, damage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`None` is a truncated one. Its fingerprint still matches the project's files."""
    settings = settings_of(folder)
    manifest = settings.dbt_target_dir / MANIFEST
    whole = manifest.read_bytes()
    half = whole[: len(whole) // 2]
    monkeypatch.setattr(dbt_command, "parse", lambda *_: manifest.write_bytes(whole))
    manifest.write_bytes(half if damage is None else damage.encode("latin-1"))
    assert manifest_path(settings).read_bytes() == whole


def test_a_model_is_recorded_while_the_next_one_runs(folder: Path) -> None:
    """The second model waits until the first and its test are recorded."""
    seen: set[str] = set()

    def let_it_go_on(name: str) -> None:
        seen.add(name)
        if {"first", "unique_first_n"} <= seen:
            (settings_of(folder).warehouse_path.parent / "go").touch()

    night = Night(folder, let_it_go_on)
    assert night.success
    assert sorted(night.recorded) == ["first", "second", "unique_first_n"]


def test_a_dbt_that_dies_at_startup_records_nothing(folder: Path) -> None:
    """Although the target folder has the results of an earlier successful night."""
    results = build_folder(settings_of(folder)) / "run_results.json"
    results.write_text('{"results": [{"unique_id": "model.small.first", "status": "success"}]}')
    (folder / "project" / "profiles.yml").write_text("veracitypro: {target: nowhere, outputs: {}}")
    night = Night(folder)
    assert not night.success
    assert night.recorded == []
    assert "does not have a target" in night.failures[0]


def test_variables_for_another_dbt_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these reduces dbt's log or its work; a duplicate row must still be red."""
    for name, value in FOREIGN.items():
        monkeypatch.setenv(f"DBT_{name}", value)
        monkeypatch.setenv(f"DBT_ENGINE_{name}", value)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    change(folder, "models/stg/first.sql", DOUBLED + " -- \N{WHITE SMILING FACE}")
    night = Night(folder)
    assert not night.success
    assert night.recorded == ["first", "unique_first_n"]
    assert "unique_first_n" in night.failures[0]


def test_a_dbt_that_exits_0_without_a_result_for_each_node_has_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node without a result may be wrong or old, and Power BI would be refreshed."""
    (settings_of(folder).warehouse_path.parent).mkdir(parents=True)
    (settings_of(folder).warehouse_path.parent / "go").touch()
    monkeypatch.setattr(
        dbt_process, "command", lambda *arguments: [sys.executable, "-c", FORGETFUL, *arguments]
    )
    night = Night(folder)
    assert not night.success
    assert night.recorded == ["first"]
    (failure,) = night.failures
    assert "reported no result for 1 of 2 tables and 1 of 1 tests" in failure
    assert "second, first: unique_first_n" in failure


def change(folder: Path, name: str, text: str) -> None:
    (folder / "project" / name).write_text(text)
    manifest_path(settings_of(folder))


def failing_rows_kept(folder: Path) -> list[tuple[str, str]]:
    with duckdb.connect(str(settings_of(folder).warehouse_path)) as connection:
        return connection.execute(
            "select check_name, failing_row from MONITORING.TEST_FAILURE_ROW"
        ).fetchall()


def make_monitoring(folder: Path) -> None:
    """Create the tables that exist from the start of a run on."""
    path = settings_of(folder).warehouse_path
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema MONITORING")


def test_the_failing_rows_of_a_red_test_are_stored_although_dbt_has_failed(folder: Path) -> None:
    make_monitoring(folder)
    change(folder, "models/stg/first.sql", DOUBLED)
    assert not Night(folder).success
    ((test, row),) = failing_rows_kept(folder)
    assert (test, json.loads(row)) == ("unique_first_n", {"unique_field": 1, "n_records": 2})


def test_unreadable_results_of_dbt_do_not_hide_the_red_test(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are only logged."""
    make_monitoring(folder)
    change(folder, "models/stg/first.sql", DOUBLED)
    cut = folder / "run_results.json"
    cut.write_text('{"results": [')
    monkeypatch.setattr(DbtResource, "run_results", cut)
    (failure,) = Night(folder).failures
    assert "unique_first_n" in failure


@pytest.fixture
def run_at_work(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """As `running` gives it."""
    with running(folder) as run:
        yield run


@contextmanager
def running(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A run in its own process, in the middle of the second model; and the pid of its dbt."""
    at_work = settings_of(folder).warehouse_path.parent / "at_work"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.test_dbt_process", str(folder)],
        cwd=REPOSITORY_DIR,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_until(lambda: at_work.exists() and bool(at_work.read_text()))
    dbt = int(at_work.read_text())
    yield process, dbt
    process.kill()
    process.wait()
    if _is_alive(dbt):
        os.kill(dbt, signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_dbt_ends_with_its_run(
    run_at_work: tuple["subprocess.Popen[bytes]", int], how: signal.Signals
) -> None:
    """Whether a person stops the run or the system kills it: an orphaned dbt would lock the
    warehouse and write to it beside the next run."""
    process, dbt = run_at_work
    process.send_signal(how)
    process.wait(timeout=60)
    assert process.returncode in (1, -how)
    _wait_until(lambda: not _is_alive(dbt))


def test_stopping_a_run_does_not_wait_for_the_rows_of_red_tests(folder: Path) -> None:
    """dbt is in the middle of a model and locks the file; its results are those of an earlier
    try."""
    make_monitoring(folder)
    change(folder, "models/stg/first.sql", DOUBLED)
    change(folder, "dbt_project.yml", PROJECT + WARNS)
    settings = settings_of(folder)
    nodes = json.loads((settings.dbt_target_dir / MANIFEST).read_text())["nodes"]
    earlier = [{"unique_id": name, "compiled_code": "select 1 as n"} for name in nodes]
    results = build_folder(settings) / "run_results.json"
    of_run = {"env": {"RUN_ID": RUN_ID}}
    results.write_text(json.dumps({"metadata": of_run, "results": earlier}))
    with running(folder) as (process, _):
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_a_run_interrupted_while_it_records_events_ends_dbt_first(folder: Path) -> None:
    """Then dbt's output is not being read. A dbt that runs on would lock the warehouse, so that the
    end of the run could not be recorded."""
    at_work = settings_of(folder).warehouse_path.parent / "at_work"

    def interrupt(_name: str) -> None:
        _wait_until(lambda: at_work.exists() and bool(at_work.read_text()))
        raise dg.DagsterExecutionInterruptedError

    night = Night(folder, interrupt)
    assert not night.success
    assert not _is_alive(int(at_work.read_text()))


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(not Night(Path(sys.argv[1])).success)
