"""When Slack hears of a run: it started, succeeded, failed, was canceled. What it says is in
`messages.py`.

A Slack that does not answer never fails a run or a sensor; it is said in the log.
"""

import logging
from typing import Final

import dagster as dg

from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.resources.slack import SlackNotDelivered, SlackResource
from veracitypro_pipeline.run_events import PARTITION_TAG, run_summary

# A run that carries this tag tells Slack itself, because no daemon may be there to do it.
ANNOUNCES_ITSELF_TAG: Final = "vp/announces_itself"
NO_PARTITION: Final = "no partition"
_ENDED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def announce(
    instance: dg.DagsterInstance, run: dg.DagsterRun, slack: SlackResource, log: logging.Logger
) -> None:
    """Tell Slack where the run stands, by its status; says nothing of one that is still queued."""
    message = _message(instance, run)
    if message is None:
        return
    try:
        slack.post(message.text, message.blocks)
    except SlackNotDelivered as reason:
        log.warning(f"Slack was not told that {message.text!r}: {reason}")


def _message(instance: dg.DagsterInstance, run: dg.DagsterRun) -> messages.Message | None:
    as_of_date = run.tags.get(PARTITION_TAG, NO_PARTITION)
    match run.status:
        case dg.DagsterRunStatus.STARTED:
            return messages.started(as_of_date, run.run_id, run.job_name)
        case dg.DagsterRunStatus.CANCELED:
            return messages.canceled(as_of_date, run.run_id, run.job_name)
        case dg.DagsterRunStatus.FAILURE:
            return messages.failed(run_summary(instance, run.run_id), run.job_name)
        case dg.DagsterRunStatus.SUCCESS:
            summary = run_summary(instance, run.run_id)
            recovered = _failed_before(instance, run)
            return messages.succeeded(summary, run.job_name, recovered=recovered)
    return None


def _failed_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the job's run that ended before this one had failed."""
    ended = instance.get_runs(
        dg.RunsFilter(job_name=run.job_name, statuses=list(_ENDED)), limit=_RUNS_LOOKED_AT
    )
    older = [one for one in ended if one.run_id != run.run_id]
    return bool(older) and older[0].status is dg.DagsterRunStatus.FAILURE


# Runs come newest first, and one that is looked at may not be the newest any more.
_RUNS_LOOKED_AT: Final = 2


def _sensor(status: dg.DagsterRunStatus, name: str, description: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        description=description,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.RunStatusSensorContext, slack: SlackResource) -> dg.SkipReason | None:
        run = context.dagster_run
        if ANNOUNCES_ITSELF_TAG in run.tags:
            return dg.SkipReason("The run tells Slack itself.")
        announce(context.instance, run, slack, context.log)
        return None

    return sensor


SENSORS: Final = [
    _sensor(dg.DagsterRunStatus.STARTED, "slack_run_started", "Tells Slack that a run began."),
    _sensor(
        dg.DagsterRunStatus.SUCCESS,
        "slack_run_succeeded",
        "Tells Slack what a run brought, and which checks warned.",
    ),
    _sensor(
        dg.DagsterRunStatus.FAILURE,
        "slack_run_failed",
        "Tells Slack which step failed, why, and what readers of reports see meanwhile.",
    ),
    _sensor(dg.DagsterRunStatus.CANCELED, "slack_run_canceled", "Tells Slack who waits in vain."),
]
