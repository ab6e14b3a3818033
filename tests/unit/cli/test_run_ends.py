"""`vp status` shows the end of a run that MONITORING does not have yet."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from veracitypro_pipeline.cli import run_ends
from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.home import make_home
from veracitypro_pipeline.monitoring.status import Run
from veracitypro_pipeline.notify.delivery import ANNOUNCES_ITSELF_TAG, marks
from veracitypro_pipeline.run_lock import run_lock_of
from veracitypro_pipeline.settings import Settings

Status = dg.DagsterRunStatus
RUN_ID = "11111111-1111-1111-1111-111111111111"


class Server:
    """A Dagster server of the home that stops after some event of its run."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings, self.instance = settings, instance

    def run(self, *, fails: bool = False) -> str:
        @dg.op
        def work() -> None:
            if fails:
                raise dg.Failure("The bucket is gone.")

        @dg.job(name="vp_daily_batch")
        def batch() -> None:
            work()

        return batch.execute_in_process(instance=self.instance, raise_on_error=False).run_id

    def start(
        self, *, status: Status = Status.STARTED, tags: dict[str, str] | None = None
    ) -> dg.DagsterRun:
        job = dg.job(name="vp_daily_batch")(lambda: None)
        run = self.instance.create_run_for_job(job, run_id=RUN_ID, tags=tags)
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name)
        self.instance.report_dagster_event(event, run.run_id)
        if status is Status.CANCELING:
            self.instance.report_run_canceling(run)
        return run

    def status(self, run_id: str) -> Run:
        row: dict[str, Any] = dict.fromkeys(Run.model_fields)
        row |= {"run_id": run_id, "job": "vp_daily_batch", "status": "started"}
        row |= {"started_at": datetime.now(UTC), "tests_passed": 4}
        row |= {"tests_warned": 0, "tests_failed": 0}
        run = Run(**row)
        run_ends.complete([run], self.settings)
        return run

    def last_status(self) -> Status:
        run = self.instance.get_run_by_id(RUN_ID)
        assert run is not None
        return run.status

    def start_again(self) -> None:
        run_ends.close_silent_runs(self.instance, run_lock_of(self.settings.home_dir))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("DAGSTER_HOME", "")  # `dagster_instance` sets it.
    settings = Settings.load(home=make_home(tmp_path / "home"))
    with run_lock_of(settings.home_dir).acquire():
        pass  # An earlier run created the lock.
    with dagster_instance(settings) as instance:
        yield Server(settings, instance)


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_that_has_ended_is_shown_with_its_end(server: Server, fails: bool) -> None:
    """The server was stopped before its sensor recorded the end."""
    run = server.status(server.run(fails=fails))
    assert run.status == ("failure" if fails else "success")
    assert run.failure == ("The bucket is gone." if fails else None)
    assert run.seconds is not None


def test_a_run_of_a_server_without_history_is_not_called_killed(server: Server) -> None:
    run = server.status(RUN_ID)
    assert run.status == "unknown"
    assert "`vp dev` keeps the history" in str(run.failure)


def test_a_run_with_a_recent_event_is_left_open(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes its last event after it has released the run lock."""
    server.start()
    assert server.status(RUN_ID).status == "started"
    monkeypatch.setattr(run_ends, "SILENT_SECONDS", -1)
    assert server.status(RUN_ID).status == "killed"


def test_a_run_of_vp_run_without_the_lock_is_dead_at_once(server: Server) -> None:
    server.start(tags=marks(RUN_ID, ANNOUNCES_ITSELF_TAG))
    assert server.status(RUN_ID).status == "killed"


@pytest.mark.parametrize(
    ("before", "after"), [(Status.STARTED, Status.FAILURE), (Status.CANCELING, Status.CANCELED)]
)
def test_a_server_that_starts_closes_silent_runs(
    server: Server, monkeypatch: pytest.MonkeyPatch, before: Status, after: Status
) -> None:
    server.start(status=before)
    monkeypatch.setattr(run_ends, "SILENT_SECONDS", -1)
    server.start_again()
    assert server.last_status() is after


def test_a_server_that_starts_waits_for_a_run_that_is_about_to_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = server.start()

    def a_moment_later(_seconds: float) -> None:
        ended = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
        server.instance.report_dagster_event(ended, RUN_ID)

    monkeypatch.setattr(time, "sleep", a_moment_later)
    server.start_again()
    assert server.last_status() is Status.SUCCESS
