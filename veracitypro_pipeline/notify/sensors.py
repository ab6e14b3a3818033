"""The sensor that tells Slack of runs where a daemon runs. What it says is in `messages.py`, what
was said and what is due in `telling.py`. `vp run` has no daemon and tells Slack itself.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.notify.telling import tell
from veracitypro_pipeline.resources.slack import SlackResource


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


SENSORS: Final = [slack_is_told]
