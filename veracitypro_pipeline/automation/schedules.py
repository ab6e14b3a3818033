"""The nightly schedule, and where it starts switched on."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from veracitypro_pipeline.automation.jobs import vp_daily_batch
from veracitypro_pipeline.lineage import SCHEDULE_NAME
from veracitypro_pipeline.partitions import check_as_of_date
from veracitypro_pipeline.settings import Settings

# Ten minutes after the end of the UTC day, when Keepa has the points of its last minutes.
CRON = "10 0 * * *"


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule of the batch. It starts switched on only in `prod` in Dagster Cloud. Elsewhere a
    night costs tokens or runs on a laptop, so a person switches it on."""

    @dg.schedule(
        job=vp_daily_batch,
        name=SCHEDULE_NAME,
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING
            if settings.runs_by_itself
            else dg.DefaultScheduleStatus.STOPPED
        ),
        description=(
            "Each night at 00:10 UTC, for the day that has just ended. AS_OF_DATE sets another day."
        ),
    )
    def vp_daily_batch_schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        return run_request(context.scheduled_execution_time, Settings.load())

    return [vp_daily_batch_schedule]


def run_request(scheduled_at: datetime, settings: Settings) -> dg.RunRequest | dg.SkipReason:
    """The run request of a tick, for yesterday's partition or that of AS_OF_DATE.

    Returns a SkipReason for a day that cannot be run.
    """
    night = scheduled_at.astimezone(UTC)
    as_of_date = settings.as_of_date or night.date() - timedelta(days=1)
    try:
        check_as_of_date(as_of_date, night)
    except ValueError as error:
        return dg.SkipReason(f"{error} (AS_OF_DATE is {settings.as_of_date or 'auto'}.)")
    # Keyed by the tick, so that a tick evaluated twice starts one run.
    return dg.RunRequest(run_key=f"{night:%Y-%m-%dT%H:%M}", partition_key=as_of_date.isoformat())
