"""The sensors that post to Slack where a daemon runs: about runs, and about a missed deadline.

`messages.py` words the messages, `delivery.py` decides which are due, `deadline.py` judges the
deadline. `vp run` has no daemon and calls `deliver` itself.
"""

import json
from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.notify import deadline
from veracitypro_pipeline.notify.deadline import Missed
from veracitypro_pipeline.notify.delivery import deliver, links_of
from veracitypro_pipeline.notify.messages import Message
from veracitypro_pipeline.resources.slack import SlackError, SlackResource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import day_due
from veracitypro_pipeline.settings import Settings


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors, with these settings. `deadline_is_kept` starts switched on only where the
    schedule does; `slack_is_told` always does, for the runs of any server."""

    @dg.sensor(
        name="deadline_is_kept",
        minimum_interval_seconds=60,
        default_status=(
            dg.DefaultSensorStatus.RUNNING
            if settings.runs_by_itself
            else dg.DefaultSensorStatus.STOPPED
        ),
        description=(
            "Posts to Slack once if the batch of the day before is not done at VP_DEADLINE (UTC),"
            " and lists what is late; evaluates data_is_fresh of each mart if no run does."
        ),
    )
    def deadline_is_kept(
        context: dg.SensorEvaluationContext, slack: SlackResource, warehouse: WarehouseResource
    ) -> dg.SensorResult:
        return judge(context, slack, warehouse.in_a_tick(), datetime.now(UTC))

    return [slack_is_told, deadline_is_kept]


@dg.sensor(
    name="slack_is_told",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Posts to Slack that a run started, what it brought or why it failed and what that means,"
        " and which checks are red; a message that Slack did not accept is sent by the next tick."
    ),
)
def slack_is_told(context: dg.SensorEvaluationContext, slack: SlackResource) -> dg.SkipReason:
    """The sensor starts no run, so the outcome of a tick is its skip reason."""
    return dg.SkipReason(deliver(context.instance, slack) or "Slack has every message that is due.")


def judge(
    context: dg.SensorEvaluationContext,
    slack: SlackResource,
    warehouse: WarehouseResource,
    now: datetime,
) -> dg.SensorResult:
    """One tick. The cursor holds the newest day judged: each day is judged once, at its deadline,
    and days due before the first tick never.

    A message that Slack did not accept follows the day in the cursor, so the next tick can send it
    without waking the warehouse.
    """
    settings = slack.settings.get()
    day = day_due(now, settings.deadline_time)
    judged, _, unsent = (context.cursor or str(day)).partition(" ")
    missed = None
    if judged < str(day):
        missed = deadline.missed(
            context.instance, warehouse, day, settings.deadline, links_of(settings)
        )
    elif unsent and not deadline.is_done(context.instance, day):
        missed = Missed(Message(*json.loads(unsent)), [])
    if missed is None:
        return dg.SensorResult(cursor=str(day))
    try:
        slack.post(*missed.message)
    except SlackError as reason:
        return dg.SensorResult(
            cursor=f"{day} {json.dumps(missed.message)}",
            asset_events=missed.evaluations,
            skip_reason=f"{day} is late, and the message was not sent yet: {reason}",
        )
    return dg.SensorResult(cursor=str(day), asset_events=missed.evaluations)
