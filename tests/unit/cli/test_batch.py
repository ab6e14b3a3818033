"""Ctrl+C in a run of this process: it stops, whatever the step that hears of it makes of it."""

import os
import signal
import time
import uuid
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from veracitypro_pipeline.cli import batch
from veracitypro_pipeline.failures import PermanentFailure
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
