"""The sync asset on an Airbyte that is busy, forgets jobs or fails: no night pays twice."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest

from tests.support.settings import StateInMemory
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.ingest.assets import SyncConfig, build_assets
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.stage_values.sync import SyncReport

DAY = "2026-01-31"
BEFORE, AFTER = "2026-01-31T23:40:00Z", "2026-02-01T00:10:00Z"


class Airbyte:
    """One connection; `waits` are the outcomes of waiting for a job, the last one repeated."""

    def __init__(self, *jobs: dict[str, Any], waits: list[Any] | None = None) -> None:
        self.jobs = {job["jobId"]: job for job in jobs}
        self.waits = waits or ["succeeded"]
        self.cancelled: list[int] = []

    def find_job(self, job_id: int) -> Any:
        return self.jobs.get(job_id)

    def running_job(self) -> Any:
        return next((job for job in self.jobs.values() if job["status"] == "running"), None)

    def jobs_since(self, begin: datetime) -> Any:
        return [
            job for job in self.jobs.values() if datetime.fromisoformat(job["startTime"]) >= begin
        ]

    def start(self) -> Any:
        job = a_job(len(self.jobs) + 1, "running", AFTER)
        self.jobs[job["jobId"]] = job
        return job

    def wait(self, job_id: int, _on_status: Any) -> Any:
        end = self.waits.pop(0) if len(self.waits) > 1 else self.waits[0]
        if isinstance(end, BaseException):
            raise end
        self.jobs[job_id] = {**self.jobs[job_id], "status": end}
        return self.jobs[job_id]

    def cancel_job(self, job_id: int) -> None:
        self.cancelled.append(job_id)
        raise TransientFailure("Airbyte is away.")


def a_job(job_id: int, status: str, started_at: str) -> dict[str, Any]:
    return {
        "jobId": job_id,
        "status": status,
        "startTime": started_at,
        "lastUpdatedAt": "2026-02-01T00:20:00Z",
        "rowsSynced": 24,
        "bytesSynced": 9,
    }


def Clock(now: datetime) -> RunSettings:  # noqa: N802 - stands for a class
    """Settings of a run whose clock reads this instant."""

    class RunSettingsThen(RunSettings):
        def now(self) -> datetime:
            return now

    return RunSettingsThen()


class Night:
    def __init__(self, airbyte: Airbyte) -> None:
        self.airbyte = airbyte
        self.now = datetime.fromisoformat(AFTER)
        self.state_store = StateInMemory()

    def sync(self, *, resync: bool = False) -> SyncReport:
        report: SyncReport = self.materialize(resync=resync).value
        return report

    def is_own_sync(self) -> bool:
        return bool((self.materialize().metadata or {})["started_by_this_run"])

    def materialize(self, *, resync: bool = False) -> dg.MaterializeResult[SyncReport]:
        (asset,) = build_assets(KEEPA, dg.RetryPolicy())
        with patch.object(AirbyteResource, "client", lambda *_: self.airbyte):
            result = asset(
                dg.build_asset_context(partition_key=DAY),
                SyncConfig(resync=resync),
                run_settings=Clock(self.now),
                airbyte=AirbyteResource(settings=RunSettings()),
                state_store=self.state_store,
            )
        assert isinstance(result, dg.MaterializeResult)
        return result


def test_tokens_are_counted_by_the_first_run_that_reports_the_sync() -> None:
    """At 4 tokens a product, even if the run that started the sync was killed."""
    night = Night(Airbyte(waits=[TransientFailure("The process is gone."), "succeeded"]))
    with pytest.raises(TransientFailure):
        night.sync()
    night.state_store.of_another_run()

    def spent() -> Any:
        result = night.materialize()
        night.state_store.write(f"airbyte/keepa/product_raw/{DAY}", result.value)
        return (result.metadata or {})["tokens_spent"]

    assert [spent(), spent()] == [24 * 4, 0]


def test_a_night_starts_one_sync_and_a_second_run_uses_it() -> None:
    night = Night(Airbyte())
    first = night.sync()
    assert night.sync() == first
    assert (first.job_id, first.records) == (1, 24)
    assert first.started_at == datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
    assert list(night.airbyte.jobs) == [1]


def test_a_second_sync_is_started_only_with_resync() -> None:
    """Once a run: a retry of the step does not pay again."""
    night = Night(Airbyte())
    night.sync()
    night.state_store.of_another_run()
    assert night.sync(resync=True).job_id == 2
    assert night.sync(resync=True).job_id == 2


def test_a_day_long_past_is_not_synced() -> None:
    """Keepa would answer for today. A late run may sync within a week, or use a sync it finds."""
    late = Night(Airbyte())
    late.now = datetime(2026, 2, 7, 23, 59, tzinfo=UTC)
    assert late.sync().job_id == 1
    late.now = datetime(2026, 8, 1, tzinfo=UTC)
    assert late.sync().job_id == 1

    never = Night(Airbyte(a_job(1, "running", "2026-02-08T00:10:00Z")))
    never.now = datetime(2026, 2, 8, tzinfo=UTC)
    for resync in (False, True):
        with pytest.raises(PermanentFailure, match=r"^2026-01-31 has no sync, .* 2026-02-07\.$"):
            never.sync(resync=resync)
    assert list(never.airbyte.jobs) == [1]
    assert never.airbyte.jobs[1]["status"] == "running"


def test_a_running_sync_of_this_night_is_waited_for() -> None:
    night = Night(Airbyte(a_job(1, "running", AFTER)))
    assert night.sync().job_id == 1


def test_a_sync_whose_run_was_killed_before_it_could_claim_it_is_used() -> None:
    """It is not paid or loaded twice. A sync of another night, or a failed one, is not used."""
    syncs = [
        a_job(1, "succeeded", BEFORE),
        a_job(2, "succeeded", AFTER),
        a_job(3, "failed", AFTER),
        a_job(4, "succeeded", "2026-02-02T00:10:00Z"),
    ]
    assert Night(Airbyte(*syncs)).sync().job_id == 2
    assert Night(Airbyte(*syncs)).sync(resync=True).job_id == 5
    syncs[1]["status"] = "cancelled"
    assert Night(Airbyte(*syncs)).sync().job_id == 5


@pytest.mark.parametrize("end", ["succeeded", "failed", TransientFailure("It failed.")])
def test_a_sync_that_began_too_early_is_awaited_and_then_ours_starts(end: Any) -> None:
    """It began before the day had ended."""
    airbyte = Airbyte(a_job(1, "running", BEFORE), waits=[end, "succeeded"])
    if isinstance(end, Exception):
        airbyte.running_job = iter([airbyte.jobs[1], None]).__next__  # type: ignore[method-assign]
    night = Night(airbyte)
    assert night.sync().job_id == 2
    assert night.sync().job_id == 2


def test_waiting_for_a_sync_that_began_too_early_ends_at_the_timeout() -> None:
    airbyte = Airbyte(a_job(1, "running", BEFORE), waits=[TransientFailure("It still runs.")])
    with pytest.raises(TransientFailure, match="It still runs"):
        Night(airbyte).sync()


def test_a_claim_on_a_sync_that_began_too_early_is_ignored() -> None:
    night = Night(Airbyte())
    night.sync()
    night.airbyte.jobs[1]["startTime"] = BEFORE
    assert night.sync().job_id == 2


def test_the_next_try_starts_a_new_sync_after_a_failed_one() -> None:
    night = Night(Airbyte(waits=[TransientFailure("Keepa is away."), "succeeded"]))
    with pytest.raises(TransientFailure):
        night.sync()
    night.airbyte.jobs[1]["status"] = "failed"
    assert night.sync().job_id == 2


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_an_interrupt_cancels_the_sync_and_is_not_retried(interrupt: type[BaseException]) -> None:
    """Also if Airbyte does not answer the request to cancel."""
    night = Night(Airbyte(waits=[interrupt()]))
    with pytest.raises(PermanentFailure, match="It was interrupted"):
        night.sync()
    assert night.airbyte.cancelled == [1]


def test_a_retry_knows_that_its_run_started_the_sync() -> None:
    """So it cancels the sync when interrupted, and reports it as its own."""
    night = Night(Airbyte(waits=[TransientFailure("Airbyte is away."), KeyboardInterrupt()]))
    with pytest.raises(TransientFailure):
        night.sync()
    with pytest.raises(PermanentFailure, match="It was interrupted"):
        night.sync()
    assert night.airbyte.cancelled == [1]
    night.airbyte.waits = ["succeeded"]
    assert night.is_own_sync()


def test_a_sync_that_another_run_started_is_not_cancelled() -> None:
    """Whether that run was killed or is still waiting."""
    night = Night(Airbyte(waits=[TransientFailure("The process is gone."), KeyboardInterrupt()]))
    with pytest.raises(TransientFailure):
        night.sync()
    night.state_store.of_another_run()
    for _ in range(2):
        with pytest.raises(PermanentFailure):
            night.sync()
    assert night.airbyte.cancelled == []
    night.airbyte.waits = ["succeeded"]
    assert not night.is_own_sync()
