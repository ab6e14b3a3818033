"""`dagster dev` as somebody types it in a checkout, with an instance of its own that passes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from veracitypro_pipeline.lineage import JOB_NAME
from veracitypro_pipeline.local.stack import stop_stack
from veracitypro_pipeline.settings import REPOSITORY_DIR

START_SECONDS: Final = 120.0
_SHOWN_LOG: Final = 2000
_PLACE: Final = """
{workspaceOrError {... on Workspace {locationEntries {locationOrLoadError {
    ... on RepositoryLocation {name repositories {name}}
}}}}}
"""
_LAUNCH: Final = """
mutation Launch($execution: ExecutionParams!) {launchRun(executionParams: $execution) {
    __typename
    ... on LaunchRunSuccess {run {runId}}
    ... on PythonError {message}
}}
"""
_STATUS: Final = """
query Status($run: ID!) {runOrError(runId: $run) {... on Run {status}}}
"""


class DagsterDev:
    """The address of the Dagster UI, and what its GraphQL answers."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.address}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, partition: str) -> str:
        """Start the daily job of a day; the run's id."""
        (entry,) = self.ask(_PLACE)["workspaceOrError"]["locationEntries"]
        location = entry["locationOrLoadError"]
        launched = self.ask(
            _LAUNCH,
            execution={
                "selector": {
                    "repositoryLocationName": location["name"],
                    "repositoryName": location["repositories"][0]["name"],
                    "pipelineName": JOB_NAME,
                },
                "mode": "default",
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def end_of(self, run_id: str, timeout: float) -> str:
        """The status with which it ends."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = str(self.ask(_STATUS, run=run_id)["runOrError"]["status"])
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.2)
        raise AssertionError(f"Run {run_id} has not ended after {timeout} s.")


@contextmanager
def dagster_dev(home: Path) -> Iterator[DagsterDev]:
    """Up once the page answers; its output lies beside the home."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home.parent / "dagster.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)],
            cwd=REPOSITORY_DIR,
            env={
                **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
                "VP_HOME": str(home),
                "DAGSTER_DISABLE_TELEMETRY": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_up(address, process, log)
            yield DagsterDev(address)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
            stop_stack(home)


def _wait_until_up(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{address}/server_info", timeout=1).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text()[-_SHOWN_LOG:])
