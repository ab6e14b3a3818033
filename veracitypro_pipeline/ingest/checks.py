"""Checks on the sync: that it brought something, and that it is the newest one."""

from datetime import datetime, timedelta

import dagster as dg

from veracitypro_pipeline.ingest.assets import QUEUED
from veracitypro_pipeline.lineage import ingest_key
from veracitypro_pipeline.partitions import end_of
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.sync import SyncReport
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


def build_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """The checks of this stage, on the sync of each stream."""
    return [check for stream in source.streams for check in _checks(source, stream)]


def _checks(source: Source, stream: Stream) -> list[dg.AssetChecksDefinition]:
    key = ingest_key(stream)

    @dg.asset_check(asset=key, blocking=True, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def sync_succeeded(report: SyncReport) -> dg.AssetCheckResult:
        """The sync ended well and read at least one record.

        If red: every dashboard would show yesterday. Look at the job in Airbyte and at the
        balance of the source's budget, then run the day again.

        Runbook: infra/runbooks/sync_succeeded.md
        """
        return dg.AssetCheckResult(
            passed=report.records > 0,
            description=(
                f"Airbyte job {report.job_id} read {report.records} records."
                if report.records
                else f"Airbyte job {report.job_id} succeeded with no record at all: check the"
                " connection's list of ASINs and the stream's selection."
            ),
            metadata={"job_id": str(report.job_id), "records": report.records},
        )

    @dg.asset_check(asset=key, retry_policy=CHECK_RETRIES)
    @final_when_interrupted
    def sync_is_newest(report: SyncReport, airbyte: AirbyteResource) -> dg.AssetCheckResult:
        """No later sync was started in the night that follows the as-of day.

        If it warns: the figures are right for their sync, but a newer one of the same night waits
        in S3; run the day again with `resync: true`.

        Runbook: infra/runbooks/sync_is_newest.md
        """
        night = end_of(report.as_of_date)
        newest = max(
            (
                int(job["jobId"])
                for job in airbyte.client(source.connection).jobs_since(night - QUEUED)
                if job.get("startTime")
                and night <= datetime.fromisoformat(job["startTime"]) < night + timedelta(days=1)
            ),
            default=report.job_id,
        )
        return dg.AssetCheckResult(
            passed=newest <= report.job_id,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                f"The day uses Airbyte job {report.job_id}; the night's newest is {newest}."
            ),
            metadata={"job_id": str(report.job_id), "newest_job_id": str(newest)},
        )

    return [sync_succeeded, sync_is_newest]
