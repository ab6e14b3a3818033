"""Airflow with Astronomer Cosmos in Dagster's place: the same dbt project, data and tests.

In Cosmos's default mode, where each model is a task and its tests are another, and in WATCHER, its
fastest: one task runs `dbt build`, the others watch it. DuckDB lets one process write, so that here
the default mode has one task at a time; with a warehouse that is a server it would have more.

Airflow is its scheduler, DAG processor, API server and triggerer, each a process that nothing
outside of the machine reaches, with LocalExecutor and SQLite. It is installed from PyPI into a
virtual environment in the temporary folder, because no one environment can hold its pins and ours;
of what it depends on in turn it has the newest.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final

import httpx

from tests.bench.harness import Benchmark, Cost, cost_of_process
from tests.bench.orchestration import (
    BUILD,
    BY_DAEMON,
    DBT_BY_VP,
    PLAIN,
    SecondNight,
    by_daemon,
    by_vp,
    cost_of_dbt,
    environment_of_dbt,
    plain_dbt,
    second_night,
)
from tests.support.home import Home

REQUIREMENTS: Final = (
    *("apache-airflow==3.3.2", "astronomer-cosmos==1.15.1"),
    *(f"{name}=={version(name)}" for name in ("dbt-core", "dbt-duckdb", "duckdb")),
)
Processes = Sequence["subprocess.Popen[bytes]"]
# By Cosmos's names of its modes.
MODES: Final = {
    "local": "Airflow and Cosmos, default mode",
    "watcher": "Airflow and Cosmos, WATCHER",
}
DAG: Final = Path(__file__).with_name("cosmos_dag.py")
START_SECONDS: Final = 180.0
RUN_SECONDS: Final = 3600.0
_POLL_SECONDS: Final = 1.0
_SHOWN_LOG: Final = 3000
_STOP_SECONDS: Final = 30.0
_HOST: Final = "127.0.0.1"
_PARTS: Final = ("scheduler", "dag_processor", "triggerer")
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
# The end of each run in dbt's log: "Finished running 3 seeds, 181 data tests, 22 view models in 0
# hours", and "1 test" where it is one.
_FINISHED: Final = re.compile(r"Finished running (.+) in \d+ hours")
_COUNT: Final = re.compile(r"(\d+) (?:\w+ )?(model|seed|test)s?\b")


def cosmos(repetitions: int) -> Benchmark:
    """From the trigger to the end of the DAG's run, both as Airflow notes them; its processes are
    up before. Their processor seconds are those of that time.

    Raises AssertionError if a run fails, or builds another MART than plain dbt, or not all of it.
    """
    result = Benchmark(
        "cosmos", "what do Airflow and Cosmos cost, beside dbt and beside us?", baseline=PLAIN
    )
    with second_night() as night:
        airflow = Airflow(night.home.with_name("airflow"))
        with night.landed():
            untouched = _marts(night.home)
            airflow.install(environment_of_dbt(night.home))
        for _ in range(repetitions):
            with night.landed():
                _forget_work(night.home)
                result.variant(PLAIN).costs.append(plain_dbt(night.home, *BUILD))
                work, marts = _work_done(night.home), _marts(night.home)
            assert marts != untouched
            result.variant(PLAIN, **work)
            _add_ours(result, night)
            for mode, variant in MODES.items():
                with night.landed():
                    _forget_work(night.home)
                    cost, tasks = airflow.night(mode, environment_of_dbt(night.home))
                    done = _work_done(night.home)
                    assert _marts(night.home) == marts, variant
                assert done == {**work, "dbt_runs": done["dbt_runs"]}, (variant, done)
                result.variant(variant, tasks=tasks, **done).costs.append(cost)
    return result


def _add_ours(result: Benchmark, night: SecondNight) -> None:
    with night.before():
        _, summary = by_vp(night.home)
        result.variant(DBT_BY_VP).costs.append(cost_of_dbt(summary))
    with night.before():
        result.variant(f"{BY_DAEMON}, all stages").costs.append(by_daemon(night.home))


class Airflow:
    """A folder with Airflow, Cosmos and dbt, and with a copy of our dbt project."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "venv" / "bin"
        self._project = folder / "dbt_project"
        self._home = folder / "home"

    def install(self, of_dbt: dict[str, str]) -> None:
        """With the project parsed, so that dbt's first start need not read all of it."""
        cost_of_process([sys.executable, "-m", "venv", str(self._bin.parent)])
        cost_of_process([str(self._bin / "pip"), "install", "--quiet", *REQUIREMENTS])
        shutil.copytree(of_dbt["DBT_PROJECT_DIR"], self._project)
        cost_of_process(
            # As Cosmos calls it: other words make dbt parse again.
            [
                *(str(self._bin / "dbt"), "parse", "--no-static-parser"),
                *("--profile", "veracitypro", "--target", of_dbt["DBT_TARGET"]),
            ],
            self._environment(of_dbt),
            self._project,
        )

    def night(self, mode: str, of_dbt: dict[str, str]) -> tuple[Cost, int]:
        """dbt by Airflow in one of Cosmos's modes: what it costs, and how many tasks it has."""
        shutil.rmtree(self._home, ignore_errors=True)
        dags = self._home / "dags"
        dags.mkdir(parents=True)
        shutil.copyfile(DAG, dags / f"{mode}.py")
        with self._up(self._environment(of_dbt), mode) as (processes, client):
            runs = f"/dags/{mode}/dagRuns"
            before = _cpu_seconds(processes)
            run = _answer(client.post(runs, json={"logical_date": None}))
            runs = f"{runs}/{run['dag_run_id']}"
            deadline = time.monotonic() + RUN_SECONDS
            while run["state"] in ("queued", "running"):
                assert time.monotonic() < deadline, run
                time.sleep(_POLL_SECONDS)
                run = _answer(client.get(runs))
            cpu = _cpu_seconds(processes) - before
            tasks = _tasks(client, runs)["total_entries"]
            good = _tasks(client, runs, "success")["total_entries"]
            failed = _tasks(client, runs, "failed")["task_instances"]
        assert (run["state"], good) == ("success", tasks), self._said_by(failed)
        began, ended = (datetime.fromisoformat(run[name]) for name in ("queued_at", "end_date"))
        return Cost((ended - began).total_seconds(), cpu), tasks

    def _said_by(self, failed: list[dict[str, Any]]) -> str:
        """The end of each task's log, which goes with the folder."""
        logs = (self._home.glob(f"logs/*/*/task_id={task['task_id']}/*.log") for task in failed)
        return "\n".join(log.read_text()[-_SHOWN_LOG:] for found in logs for log in found)

    def _environment(self, of_dbt: dict[str, str]) -> dict[str, str]:
        """dbt's, but for the folder that Cosmos chooses; and for Airflow itself, no telemetry."""
        return {
            **{name: value for name, value in of_dbt.items() if name != "DBT_TARGET_PATH"},
            "DBT_PROJECT_DIR": str(self._project),
            "DBT_PROFILES_DIR": str(self._project),
            # As in `BUILD`; Cosmos has no word for it that each of its commands takes.
            "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test",
            # Airflow starts `airflow` by its name.
            "PATH": f"{self._bin}{os.pathsep}{of_dbt['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._home / "dags"),
            # Its word for reading all files in there, and not only those that speak of Airflow.
            "AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__COSMOS__CACHE_DIR": str(self._home / "cosmos"),
            "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "DO_NOT_TRACK": "1",
        }

    @contextmanager
    def _up(
        self, environment: dict[str, str], dag: str
    ) -> Iterator[tuple[Processes, httpx.Client]]:
        """Once each part says that it is well, and the DAG has been read."""
        with socket.create_server((_HOST, 0)) as free:
            port = free.getsockname()[1]
        address = f"http://{_HOST}:{port}"
        environment = {
            **environment,
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        }
        airflow, log = str(self._bin / "airflow"), self._home / "airflow.log"
        cost_of_process([airflow, "db", "migrate"], environment)
        with ExitStack() as stack:
            output = stack.enter_context(log.open("w"))
            client = stack.enter_context(httpx.Client(base_url=f"{address}/api/v2", timeout=60))
            processes = [
                stack.enter_context(_started([airflow, *arguments], environment, output))
                for arguments in (
                    ("api-server", "--host", _HOST, "--port", str(port)),
                    # They would show their logs to the whole network.
                    ("scheduler", "--skip-serve-logs"),
                    ("triggerer", "--skip-serve-logs"),
                    ("dag-processor",),
                )
            ]
            deadline = time.monotonic() + START_SECONDS
            while not _is_up(client, dag):
                is_late = time.monotonic() > deadline
                if is_late or any(process.poll() is not None for process in processes):
                    raise AssertionError(log.read_text()[-_SHOWN_LOG:])
                time.sleep(_POLL_SECONDS)
            yield processes, client


@contextmanager
def _started(
    command: list[str], environment: dict[str, str], output: IO[str]
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_up(client: httpx.Client, dag: str) -> bool:
    """The client may ask for all afterwards."""
    with suppress(httpx.HTTPError):
        health = _answer(client.get("/monitor/health"))
        if all(health[part]["status"] == "healthy" for part in _PARTS):
            token = _answer(client.get(client.base_url.copy_with(path="/auth/token")))
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
            return client.get(f"/dags/{dag}").is_success
    return False


def _tasks(client: httpx.Client, run: str, *states: str) -> Any:
    return _answer(client.get(f"{run}/taskInstances", params={"state": states}))


def _answer(response: httpx.Response) -> Any:
    return response.raise_for_status().json()


def _cpu_seconds(processes: Processes) -> float:
    """Of these and all below them, those included that have ended."""
    ticks, children = dict[int, int](), defaultdict[int, list[int]](list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # One that has ended meanwhile counts with its parent's.
        with suppress(OSError):
            _, parent, *others = stat.read_text().rpartition(")")[2].split()
            # Its own time and that of its children that have ended, in user mode and in the kernel.
            ticks[int(stat.parent.name)] = sum(int(field) for field in others[9:13])
            children[int(parent)].append(int(stat.parent.name))
    below, total = [process.pid for process in processes], 0
    while below:
        one = below.pop()
        total += ticks.get(one, 0)
        below += children[one]
    return total / _TICKS_A_SECOND


def _forget_work(home: Path) -> None:
    for log in _logs_of_dbt(home):
        log.unlink()


def _work_done(home: Path) -> dict[str, int]:
    """By dbt's own log: how often it ran, what it built and what it tested."""
    ran = [line for log in _logs_of_dbt(home) for line in _FINISHED.findall(log.read_text())]
    counts = Counter[str]()
    for line in ran:
        for count, what in _COUNT.findall(line):
            counts[what] += int(count)
    return {
        "dbt_runs": len(ran),
        "built": counts["model"] + counts["seed"],
        "tested": counts["test"],
    }


def _logs_of_dbt(home: Path) -> list[Path]:
    return list((home / "dbt" / "local" / "build").glob("dbt.log*"))


def _marts(home: Path) -> dict[str, Any]:
    return {name: rows for name, rows in Home(home).tables().items() if name.startswith("MART.")}
