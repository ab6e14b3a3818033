"""When the batch runs by itself, and which environment may do so."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from veracitypro_pipeline.automation.jobs import vp_daily_batch
from veracitypro_pipeline.lineage import SCHEDULE_NAME
from veracitypro_pipeline.partitions import check_as_of_date
from veracitypro_pipeline.settings import Settings

# Ten minutes after the UTC day is over; Keepa's points of its last minutes have arrived by then.
CRON = "10 0 * * *"


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule of the batch. It is on from the start only in `prod` in Dagster Cloud: elsewhere
    a night costs tokens or a laptop's sleep, so a person switches it on."""

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
        return request_of_night(context.scheduled_execution_time, Settings.load())

    return [vp_daily_batch_schedule]


def request_of_night(scheduled_at: datetime, settings: Settings) -> dg.RunRequest | dg.SkipReason:
    """The run that is due at a tick: yesterday's partition, or that of AS_OF_DATE.

    A day that cannot be run is skipped with the reason.
    """
    night = scheduled_at.astimezone(UTC)
    as_of_date = settings.as_of_date or night.date() - timedelta(days=1)
    try:
        check_as_of_date(as_of_date, night)
    except ValueError as error:
        return dg.SkipReason(f"{error} (AS_OF_DATE is {settings.as_of_date or 'auto'}.)")
    # The key of the tick, so that a tick which is evaluated twice starts one run.
    return dg.RunRequest(run_key=f"{night:%Y-%m-%dT%H:%M}", partition_key=as_of_date.isoformat())
