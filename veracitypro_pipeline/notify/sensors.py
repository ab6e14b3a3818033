"""The sensors that tell Slack where a daemon runs: of runs, and of a deadline that was missed.

What they say is in `messages.py`; what was said of runs and is due in `telling.py`, how a deadline
is judged in `deadline.py`. `vp run` has no daemon and tells Slack of its runs itself.
"""

import json
from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.notify import deadline
from veracitypro_pipeline.notify.deadline import Missed
from veracitypro_pipeline.notify.messages import Message
from veracitypro_pipeline.notify.telling import links_of, tell
from veracitypro_pipeline.resources.slack import SlackNotDelivered, SlackResource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import day_due
from veracitypro_pipeline.settings import Settings


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors of these settings. The deadline is on from the start only where the schedule is;
    what is recorded and told of runs is true of any server's own runs."""

    @dg.sensor(
        name="deadline_is_kept",
        minimum_interval_seconds=60,
        default_status=(
            dg.DefaultSensorStatus.RUNNING
            if settings.runs_by_itself
            else dg.DefaultSensorStatus.STOPPED
        ),
        description=(
            "Tells Slack once if the batch of the day before is not done at VP_DEADLINE (UTC), and"
            " what is late; evaluates data_is_fresh of each mart if no run does."
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
        "Tells Slack that a run began, what it brought or why it failed and what that means, which"
        " checks are red; what Slack did not take is said by the next tick."
    ),
)
def slack_is_told(context: dg.SensorEvaluationContext, slack: SlackResource) -> dg.SkipReason:
    """Starts no run, so each tick is a skip that says how it went."""
    return dg.SkipReason(tell(context.instance, slack) or "Slack knows of every recent run.")


def judge(
    context: dg.SensorEvaluationContext,
    slack: SlackResource,
    warehouse: WarehouseResource,
    now: datetime,
) -> dg.SensorResult:
    """One tick. The cursor is the newest day judged: each day is judged once, at its deadline, and
    what was due before the first tick is no news.

    A message that Slack did not take stands in the cursor behind the day, so that the next tick
    need not wake the warehouse up to say it.
    """
    settings = slack.settings.get()
    day = day_due(now, settings.deadline_time)
    judged, _, untold = (context.cursor or str(day)).partition(" ")
    missed = None
    if judged < str(day):
        missed = deadline.missed(
            context.instance, warehouse, day, settings.deadline, links_of(settings)
        )
    elif untold and not deadline.is_done(context.instance, day):
        missed = Missed(Message(*json.loads(untold)), [])
    if missed is None:
        return dg.SensorResult(cursor=str(day))
    try:
        slack.post(*missed.message)
    except SlackNotDelivered as reason:
        return dg.SensorResult(
            cursor=f"{day} {json.dumps(missed.message)}",
            asset_events=missed.evaluations,
            skip_reason=f"{day} is late, and Slack was not told yet: {reason}",
        )
    return dg.SensorResult(cursor=str(day), asset_events=missed.evaluations)
