"""Runs of this process: Ctrl+C stops one, whatever the step that hears of it makes of it; and one
that was killed does not stay at work."""

import os
import signal
import time
import uuid
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from veracitypro_pipeline.cli import batch
from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.local.stack import run_place
from veracitypro_pipeline.notify.telling import ANNOUNCES_ITSELF_TAG, marks
from veracitypro_pipeline.settings import Settings


class Night:
    """A run of two assets, in the first of which somebody presses Ctrl+C."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool) -> None:
        self.tries: list[str] = []

        @dg.asset(key=["raw", "keepa_raw"], retry_policy=dg.RetryPolicy(max_retries=2))
        def first() -> None:
            self.tries.append("first")

        # Nothing waits for it.
        @dg.asset_check(asset=first, retry_policy=dg.RetryPolicy(max_retries=2))
        def interrupted() -> dg.AssetCheckResult:
            self.tries.append("interrupted")
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            except dg.DagsterExecutionInterruptedError as interrupt:
                if is_told:
                    raise PermanentFailure("It was interrupted.") from interrupt
                raise
            return dg.AssetCheckResult(passed=True)

        @dg.asset_check(asset=first)
        def later() -> dg.AssetCheckResult:
            self.tries.append("later")
            return dg.AssetCheckResult(passed=True)

        monkeypatch.setattr(batch, "_Reporter", lambda *_: Silent())
        job = dg.Definitions(
            assets=[first], asset_checks=[interrupted, later], executor=dg.in_process_executor
        ).resolve_implicit_global_asset_job_def()
        progress = SimpleNamespace(on_event=lambda _entry: None)
        with dg.DagsterInstance.ephemeral() as instance:
            self.summary = batch._run(
                instance,
                job,
                {"run_id": str(uuid.uuid4())},
                progress,  # type: ignore[arg-type]
                Settings.load(home=folder),
            )


class Silent:
    def __call__(self, entry: dg.EventLogEntry) -> None: ...

    def report_end(self) -> None: ...


@pytest.mark.parametrize("is_told", [False, True])
def test_a_run_that_is_interrupted_in_a_check_does_not_go_on(
    is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster would try it again, or go on with what does not depend on it."""
    night = Night(tmp_path, monkeypatch, is_told=is_told)
    assert night.tries == ["first", "interrupted"]
    assert night.summary.status == "canceled"
    assert {failure.reason for failure in night.summary.failures} == {
        "It was interrupted; run the day again."
    }


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_run_of_an_account_that_was_killed_is_closed_by_the_next_one_of_its_home(
    environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which has the home to itself, so that the other is known to be dead."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # What opens the instance sets it.
    settings = Settings.load(environment=environment, home=tmp_path)
    job = dg.job(name="vp_daily_batch")(lambda: None)
    killed = str(uuid.uuid4())
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, run_id=killed, tags=marks(killed, ANNOUNCES_ITSELF_TAG))
        begun = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name)
        instance.report_dagster_event(begun, killed)
    seen = []

    def run(instance: dg.DagsterInstance, *_: Any) -> Any:
        dead = instance.get_run_by_id(killed)
        seen.append((dead and dead.status, run_place(tmp_path).is_locked))
        return SimpleNamespace(is_good=True)

    monkeypatch.setattr(batch, "_run", run)
    loaded = SimpleNamespace(defs=SimpleNamespace(resolve_job_def=lambda _: job))
    monkeypatch.setattr("veracitypro_pipeline.definitions", loaded, raising=False)
    list(batch._runs(batch.Batch([date(2026, 1, 31)]), settings, quiet=True))
    assert seen == [(dg.DagsterRunStatus.FAILURE, True)]
