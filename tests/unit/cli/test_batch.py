"""Runs of this process: a signal stops a run, whatever its step does with it, and a killed run is
closed."""

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

from veracitypro_pipeline.cli import batch, stopping
from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.notify.delivery import ANNOUNCES_ITSELF_TAG, marks
from veracitypro_pipeline.run_lock import run_lock_of
from veracitypro_pipeline.settings import Settings


class Night:
    """A run of an asset and two checks; a signal arrives in the first check."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        is_caught: bool,
        number: signal.Signals = signal.SIGINT,
    ) -> None:
        self.tries: list[str] = []

        @dg.asset(key=["raw", "keepa_raw"], retry_policy=dg.RetryPolicy(max_retries=2))
        def first() -> None:
            self.tries.append("first")

        # Nothing depends on it.
        @dg.asset_check(asset=first, retry_policy=dg.RetryPolicy(max_retries=2))
        def interrupted() -> dg.AssetCheckResult:
            self.tries.append("interrupted")
            try:
                os.kill(os.getpid(), number)
                time.sleep(10)
            except dg.DagsterExecutionInterruptedError as interrupt:
                if is_caught:
                    raise PermanentFailure("It was interrupted.") from interrupt
                raise
            return dg.AssetCheckResult(passed=True)

        @dg.asset_check(asset=first)
        def later() -> dg.AssetCheckResult:
            self.tries.append("later")
            return dg.AssetCheckResult(passed=True)

        monkeypatch.setattr(batch, "_Reporter", lambda *_: NoReporter())
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


class NoReporter:
    def __call__(self, entry: dg.EventLogEntry) -> None: ...

    def report_end(self) -> None: ...


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_each_signal_that_stops_a_command_cancels_its_run(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped service and a closed terminal are not failures."""
    before = {one: signal.getsignal(one) for one in stopping.STOPS}
    monkeypatch.setattr(stopping, "_received", [])
    stopping.stop_on_signals()
    try:
        night = Night(tmp_path, monkeypatch, is_caught=True, number=number)
        assert night.tries == ["first", "interrupted"]
        assert night.summary.status == "canceled"
        assert stopping.exit_code() == code
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup vp run` continues without its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stopping.stop_on_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize("is_caught", [False, True])
def test_a_run_interrupted_in_a_check_ends(
    is_caught: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster would retry the check, or go on with steps that do not depend on it."""
    night = Night(tmp_path, monkeypatch, is_caught=is_caught)
    assert night.tries == ["first", "interrupted"]
    assert night.summary.status == "canceled"
    assert {failure.reason for failure in night.summary.failures} == {
        "It was interrupted; run the day again."
    }


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_killed_run_of_an_account_is_closed_by_the_next_run_of_its_home(
    environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run holds the run lock, so the other is known to be dead."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # `dagster_instance` sets it.
    settings = Settings.load(environment=environment, home=tmp_path)
    job = dg.job(name="vp_daily_batch")(lambda: None)
    killed = str(uuid.uuid4())
    with dagster_instance(settings) as instance:
        instance.create_run_for_job(job, run_id=killed, tags=marks(killed, ANNOUNCES_ITSELF_TAG))
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name)
        instance.report_dagster_event(started, killed)
    seen = []

    def run(instance: dg.DagsterInstance, *_: Any) -> Any:
        dead = instance.get_run_by_id(killed)
        seen.append((dead and dead.status, run_lock_of(tmp_path).is_locked))
        return SimpleNamespace(is_good=True)

    monkeypatch.setattr(batch, "_run", run)
    loaded = SimpleNamespace(defs=SimpleNamespace(resolve_job_def=lambda _: job))
    monkeypatch.setattr("veracitypro_pipeline.definitions", loaded, raising=False)
    list(batch._runs(batch.Batch([date(2026, 1, 31)]), settings, quiet=True))
    assert seen == [(dg.DagsterRunStatus.FAILURE, True)]
