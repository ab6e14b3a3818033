"""When Slack hears of a run: it started, succeeded, failed, was canceled. What it says is in
`messages.py`.

A Slack that does not answer never fails a run or a sensor; it is said in the log.
"""

import logging
from typing import Final

import dagster as dg

from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.resources.slack import SlackResource
from veracitypro_pipeline.run_events import PARTITION_TAG, run_summary

# A run that carries this tag tells Slack itself, because no daemon may be there to do it.
ANNOUNCES_ITSELF_TAG: Final = "vp/announces_itself"
NO_PARTITION: Final = "no partition"
# What people call the job that Dagster makes of "Materialize".
JOB_TITLES: Final = {"__ASSET_JOB": "a run of selected assets"}
_ENDED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)


def announce(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    status: dg.DagsterRunStatus,
    slack: SlackResource,
    log: logging.Logger,
) -> None:
    """Tell Slack that the run has come to a status, by which time it may be further."""
    try:
        message = _message(instance, run, status)
        if message is not None:
            slack.post(message.text, message.blocks)
    except Exception as reason:
        # Whatever is wrong with Slack or its settings, the data is not: it is logged, not raised.
        log.warning(f"Slack was not told that run {run.run_id} is {status.value}: {reason}")


def _message(
    instance: dg.DagsterInstance, run: dg.DagsterRun, status: dg.DagsterRunStatus
) -> messages.Message | None:
    as_of_date = run.tags.get(PARTITION_TAG, NO_PARTITION)
    job = JOB_TITLES.get(run.job_name, run.job_name)
    match status:
        case dg.DagsterRunStatus.STARTED:
            return messages.started(as_of_date, run.run_id, job)
        case dg.DagsterRunStatus.CANCELED:
            return messages.canceled(as_of_date, run.run_id, job)
        case dg.DagsterRunStatus.FAILURE:
            return messages.failed(run_summary(instance, run.run_id), job)
        case dg.DagsterRunStatus.SUCCESS:
            summary = run_summary(instance, run.run_id)
            return messages.succeeded(summary, job, recovered=_failed_before(instance, run))
    return None


def _failed_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the newest run of the job that was created before this one, and ended, had failed."""
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        return False
    older = instance.get_runs(
        dg.RunsFilter(
            job_name=run.job_name, statuses=list(_ENDED), created_before=record.create_timestamp
        ),
        limit=1,
    )
    return bool(older) and older[0].status is dg.DagsterRunStatus.FAILURE


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
        announce(context.instance, run, status, slack, context.log)
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
    _sensor(
        dg.DagsterRunStatus.CANCELED, "slack_run_canceled", "Tells Slack that a run was canceled."
    ),
]
