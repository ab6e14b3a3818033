"""The Airbyte sync as an asset. The checks on it are in `checks.py`."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import dagster as dg

from veracitypro_pipeline import links
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.lineage import INGEST, OWNERS, STAGE_VALUES_IO, ingest_key
from veracitypro_pipeline.partitions import (
    ONE_DAY_A_RUN,
    SYNC_DAYS,
    daily_as_of,
    end_of,
    mark_as_rejected,
    newest_as_of_date,
)
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.sync import (
    FinishedSync,
    SyncClaim,
    SyncReport,
    last_day_seen,
)
from veracitypro_pipeline.step_guard import final_when_interrupted

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.airbyte.client import Job, SyncClient

# Syncs of so many days before are looked at again, since files come late; a weekend and then some.
LOOK_BACK_DAYS: Final = 7
# A job that waits for its turn begins later than it was created, by which Airbyte lists.
QUEUED: Final = timedelta(days=1)
_USABLE: Final = frozenset({"succeeded", "running", "pending", "incomplete"})


class SyncConfig(dg.Config):
    """`resync`: sync again although the day has a sync already; costs the tokens again."""

    resync: bool = False


def build_assets(source: Source, retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The assets of this stage: the sync of each stream."""
    return [_sync(source, stream, retries) for stream in source.streams]


def _sync(source: Source, stream: Stream, retries: dg.RetryPolicy) -> dg.AssetsDefinition:
    key = ingest_key(stream)
    budget = source.budget

    @dg.asset(
        key=key,
        group_name=INGEST,
        owners=OWNERS,
        kinds={"airbyte"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=STAGE_VALUES_IO,
        retry_policy=retries,
    )
    @final_when_interrupted
    def sync(
        context: dg.AssetExecutionContext,
        config: SyncConfig,
        run_settings: RunSettings,
        airbyte: AirbyteResource,
        state_store: StateStore,
    ) -> dg.MaterializeResult[SyncReport]:
        """The nightly Airbyte sync of the stream into S3.

        Grain: one sync per as-of day, which reads everything that is tracked once.
        Re-run: a day whose sync has succeeded or is under way uses that sync and costs nothing,
        also one that a killed run or a person has started; `resync: true` asks for a new one.
        A day whose end lies too far back is not synced: the source would answer for today.
        """
        as_of_date = context.partition_time_window.start.date()
        claim_name = f"{key.to_user_string()}/claims/{as_of_date}"
        client = airbyte.client(source.connection)

        claim = state_store.read(claim_name, SyncClaim)
        # A new sync is asked for once a run: a further try follows the one that the first started.
        if (
            config.resync
            and claim is not None
            and claim.run_id != context.op_execution_context.run_id
        ):
            claim = None
        job = None if claim is None else client.find_job(claim.job_id)
        started_here = (
            claim is not None
            and claim.run_id == context.op_execution_context.run_id
            and claim.started
        )
        night = end_of(as_of_date)
        if job is None or job["status"] not in _USABLE or not _is_of_night(job, night):
            job, started_here = None, False
            if not config.resync:
                job = _unclaimed_sync(client.jobs_since(night - QUEUED), night)
            if job is None:
                _refuse_a_past_day(context, as_of_date, run_settings.now())
                job, started_here = _start_or_attach(client, night, context.log.info)
        job_id = int(job["jobId"])
        try:
            state_store.write(
                claim_name,
                SyncClaim(
                    as_of_date=as_of_date,
                    job_id=job_id,
                    run_id=context.op_execution_context.run_id,
                    started=started_here,
                ),
            )
            context.log.info(f"Following Airbyte job {job_id} for {as_of_date}.")
            job = client.wait(job_id, lambda status: context.log.debug(f"Job {job_id}: {status}"))
        except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt):
            if started_here:
                with suppress(dg.Failure):
                    client.cancel_job(job_id)
            raise

        jobs = client.jobs_since(night - timedelta(days=LOOK_BACK_DAYS) - QUEUED)
        report = _report(job, context.partition_time_window.start).model_copy(
            update={"earlier": earlier_syncs(jobs, as_of_date, job_id)}
        )
        # A sync that a run has reported before was counted there.
        before = state_store.read(f"{key.to_user_string()}/{as_of_date}", SyncReport)
        is_new = before is None or before.job_id != report.job_id
        settings = run_settings.get()
        spent = {}
        if budget is not None:
            cost = report.records * int(getattr(settings, budget.a_record))
            spent = {f"{budget.unit}_spent": cost if is_new else 0}
        page = links.airbyte_job(settings, source, job_id)
        return dg.MaterializeResult(
            value=report,
            metadata={
                # Text, because a number is plotted.
                "job_id": str(report.job_id),
                **({} if page is None else {"airbyte_job": dg.MetadataValue.url(page)}),
                "started_at": dg.MetadataValue.timestamp(report.started_at),
                "rows_in": report.records,
                "rows_out": report.records,
                "rows_refused": 0,
                "bytes": report.size_bytes,
                "sync_seconds": report.seconds,
                **spent,
                "started_by_this_run": started_here,
            },
        )

    return sync


def _refuse_a_past_day(context: dg.AssetExecutionContext, as_of_date: date, now: datetime) -> None:
    """Raises PermanentFailure if a sync now would be too late for the day."""
    if now < end_of(as_of_date) + timedelta(days=SYNC_DAYS):
        return
    mark_as_rejected(context.instance, context.op_execution_context.run_id)
    raise PermanentFailure(
        f"{as_of_date} has no sync, and one that starts now, more than {SYNC_DAYS} days after its"
        " end, would store today's products under that day: leave the day missing (the next sync"
        " after it brought its prices and ranks), or materialize"
        f" {newest_as_of_date(now)}."
    )


def _unclaimed_sync(jobs: Iterable["Job"], night: datetime) -> "Job | None":
    """The newest sync of the night that ended well, e.g. after the run that started it was killed
    before it could claim it."""
    of_night = [
        job
        for job in jobs
        if job.get("status") == "succeeded"
        and job.get("startTime")
        and night <= datetime.fromisoformat(str(job["startTime"])) < night + timedelta(days=1)
    ]
    return max(of_night, key=lambda job: int(job["jobId"]), default=None)


def _start_or_attach(
    client: "SyncClient", night: datetime, say: Callable[[str], None]
) -> tuple["Job", bool]:
    """A job that began after the as-of day was over, and whether we started it.

    A connection runs one sync at a time. One that began earlier cannot have seen the whole day: it
    is waited for, and then comes our own.

    Raises what waiting for that one raised if it has not ended then.
    """
    refusal: PermanentFailure | None = None
    given_up: dict[int, dg.Failure] = {}
    while True:
        running = client.running_job()
        if running is None:
            if refusal is not None:
                raise refusal
            try:
                return client.start(), True
            except PermanentFailure as refused:
                # Somebody else was quicker: Airbyte answers 409, and now lists the job.
                refusal = refused
                continue
        if _is_of_night(running, night):
            say(f"Airbyte job {running['jobId']} is running already; waiting for that one.")
            return running, False
        job_id = int(running["jobId"])
        if job_id in given_up:
            raise given_up[job_id]
        say(f"Airbyte job {job_id} began before the day was over; waiting for its end.")
        refusal = None
        try:
            client.wait(job_id, lambda _: None)
        except dg.Failure as failure:
            # How it ends is no concern of this day; that it ends is.
            given_up[job_id] = failure


def _is_of_night(job: "Job", night: datetime) -> bool:
    """Whether a job began after the as-of day was over; one that is still queued will."""
    started_at = job.get("startTime")
    return not started_at or datetime.fromisoformat(str(started_at)) >= night


def earlier_syncs(jobs: Iterable["Job"], as_of_date: date, job_id: int) -> tuple[FinishedSync, ...]:
    """The syncs that ended well in the last days, by job; `job_id` is the day's own.

    Also those that no run has asked for, e.g. a sync that somebody started in Airbyte. A job which
    failed or was cancelled is none of them: what it left in the bucket is never loaded.
    """
    first = as_of_date - timedelta(days=LOOK_BACK_DAYS)
    found = []
    for job in jobs:
        if job.get("status") != "succeeded" or int(job["jobId"]) == job_id:
            continue
        with suppress(KeyError, TypeError, ValueError):  # Without its figures it proves nothing.
            day = last_day_seen(datetime.fromisoformat(str(job["startTime"])))
            if first <= day <= as_of_date:
                found.append(
                    FinishedSync(
                        as_of_date=day, job_id=int(job["jobId"]), records=int(job["rowsSynced"])
                    )
                )
    return tuple(sorted(found, key=lambda sync: sync.job_id))


def _report(job: "Job", as_of: datetime) -> SyncReport:
    """Airbyte's figures of a job. Raises TransientFailure if it leaves one out."""
    try:
        started_at = datetime.fromisoformat(str(job["startTime"])).astimezone(UTC)
        return SyncReport(
            as_of_date=as_of.date(),
            job_id=int(job["jobId"]),
            started_at=started_at,
            records=int(job["rowsSynced"]),
            size_bytes=int(job["bytesSynced"]),
            seconds=_duration(job, started_at).total_seconds(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TransientFailure(
            f"Airbyte's answer on job {job.get('jobId')} lacks or garbles a figure ({error});"
            " it is asked again."
        ) from error


def _duration(job: "Job", started_at: datetime) -> timedelta:
    """How long the job took; Airbyte's own ISO 8601 duration is whole seconds, so is this."""
    return datetime.fromisoformat(str(job["lastUpdatedAt"])).astimezone(UTC) - started_at
