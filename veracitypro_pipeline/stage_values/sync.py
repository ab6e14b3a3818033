"""What ingest leaves: which Airbyte job serves a day, and what it brought."""

from datetime import UTC, date, datetime, timedelta

from veracitypro_pipeline.stage_values.value import StageValue


def last_day_seen(began_at: datetime) -> date:
    """The last UTC day that was over when a sync began: the newest one that it has seen whole."""
    return began_at.astimezone(UTC).date() - timedelta(days=1)


class SyncClaim(StageValue):
    """The Airbyte job which serves an as-of day, written before the job is waited for.

    Grain: one per as-of day. A run that dies while Airbyte works finds the job by this claim and
    waits for it, instead of paying Keepa tokens for a second sync. `run_id` is the Dagster run that
    last wrote it, `started` says whether that run started the job, and so may cancel it.
    """

    as_of_date: date
    job_id: int
    run_id: str
    # Claims that were written before this field was there lack it.
    started: bool = False


class FinishedSync(StageValue):
    """A sync that Airbyte reports as succeeded. Grain: one per Airbyte job.

    `as_of_date` is the last day that it has seen, `records` Airbyte's own figure.
    """

    as_of_date: date
    job_id: int
    records: int


class SyncReport(StageValue):
    """What Airbyte says of the sync of one as-of day. Grain: one per as-of day.

    `records` and `size_bytes` are Airbyte's own figures, `seconds` the job's duration. `earlier`
    are the other syncs of the last days, whose files may have come after their day was loaded.
    """

    as_of_date: date
    job_id: int
    started_at: datetime
    records: int
    size_bytes: int
    seconds: float
    earlier: tuple[FinishedSync, ...] = ()
