"""Dagster's development server as people start it: `vp dev` on a home, or plain `dagster dev`,
which forgets its runs when it stops."""

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
from veracitypro_pipeline.local.stack.lifecycle import stop_stack
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
_REEXECUTE: Final = """
mutation Reexecute($run: String!) {launchRunReexecution(
    reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}
) {
    __typename
    ... on LaunchRunSuccess {run {runId}}
    ... on PythonError {message}
}}
"""
_TERMINATE: Final = """
mutation Terminate($run: String!) {terminateRun(runId: $run) {__typename}}
"""
_BACKFILL: Final = """
mutation Backfill($params: LaunchBackfillParams!) {
    launchPartitionBackfill(backfillParams: $params) {
        __typename
        ... on LaunchBackfillSuccess {backfillId}
        ... on PythonError {message}
    }
}
"""
_RUNS_OF_BACKFILL: Final = """
query Runs($tags: [ExecutionTag!]!) {runsOrError(filter: {tags: $tags}) {
    ... on Runs {results {runId tags {key value}}}
}}
"""
_TICK: Final = """
mutation Tick($selector: ScheduleSelector!, $at: Float!) {
    scheduleDryRun(selectorData: $selector, timestamp: $at) {
        ... on DryRunInstigationTick {evaluationResult {
            skipReason
            runRequests {tags {key value}}
        }}
    }
}
"""
_STATUS: Final = """
query Status($run: ID!) {runOrError(runId: $run) {... on Run {status}}}
"""


class DagsterDev:
    """The address of the Dagster UI, the server's output, and its GraphQL API."""

    def __init__(self, address: str, log: Path) -> None:
        self.address = address
        self.log = log

    def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.address}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, partition: str) -> str:
        """Start the daily job of a day; the run's id."""
        launched = self.ask(
            _LAUNCH,
            execution={
                "selector": {**self.place(), "pipelineName": JOB_NAME},
                "mode": "default",
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def place(self) -> dict[str, str]:
        """The selector of the only code location and its repository."""
        (entry,) = self.ask(_PLACE)["workspaceOrError"]["locationEntries"]
        location = entry["locationOrLoadError"]
        return {
            "repositoryLocationName": location["name"],
            "repositoryName": location["repositories"][0]["name"],
        }

    def reexecute(self, run_id: str) -> str:
        """Re-execute a run from its failure; the id of the new run."""
        launched = self.ask(_REEXECUTE, run=run_id)["launchRunReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        answer = self.ask(_TERMINATE, run=run_id)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def backfill(self, asset: list[str], days: list[str]) -> str:
        """Materialize an asset for several days; the backfill's id."""
        params = {"assetSelection": [{"path": asset}], "partitionNames": days, "tags": []}
        launched = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs_of(self, backfill: str, count: int, timeout: float) -> dict[str, str]:
        """The first partition of each run of a backfill by run id, once it has `count` runs."""
        tags = [{"key": "dagster/backfill", "value": backfill}]
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            results = self.ask(_RUNS_OF_BACKFILL, tags=tags)["runsOrError"]["results"]
            if len(results) == count:
                return {
                    run["runId"]: tag["value"]
                    for run in results
                    for tag in run["tags"]
                    if tag["key"] == "dagster/asset_partition_range_start"
                }
            time.sleep(0.2)
        raise AssertionError(f"Backfill {backfill} does not have {count} runs after {timeout} s.")

    def tick(self, schedule: str, at: float) -> Any:
        """The result of a dry run of the schedule at a time, in seconds since 1970."""
        selector = {**self.place(), "scheduleName": schedule}
        return self.ask(_TICK, selector=selector, at=at)["scheduleDryRun"]["evaluationResult"]

    def status_of(self, run_id: str) -> str:
        return str(self.ask(_STATUS, run=run_id)["runOrError"]["status"])

    def end_of(self, run_id: str, timeout: float) -> str:
        """Wait for the end of a run and return its status."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = self.status_of(run_id)
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.2)
        raise AssertionError(f"Run {run_id} has not ended after {timeout} s.")


@contextmanager
def vp_dev(home: Path) -> Iterator[DagsterDev]:
    """`vp dev`, which stores its runs in the home."""
    vp = "from veracitypro_pipeline.cli.main import main; main()"
    with _served(home, "-c", vp, "dev", "--port") as running:
        yield running


@contextmanager
def dagster_dev(home: Path) -> Iterator[DagsterDev]:
    """Plain `dagster dev`."""
    with _served(home, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p") as running:
        yield running


@contextmanager
def _served(home: Path, *command: str) -> Iterator[DagsterDev]:
    """Run the command with a free port as its last argument; yield once the page answers. The
    output is in `dagster.log` beside the home."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = home.parent / "dagster.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
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
            # A shell that runs the tests in the background has them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_up(address, process, log)
            yield DagsterDev(address, log)
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
