"""The end of runs that look unfinished.

The home's Dagster instance knows how a run ended, even if no sensor or `vp run` has recorded it
yet. A run counts as killed only if its process is known to be gone. `vp run` holds the home's run
lock until it has recorded the end. A run of a Dagster server holds it only while it executes steps,
not for its first and last events.
"""

import time
from typing import Final

import dagster as dg
from filelock import BaseFileLock, Timeout

from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.monitoring.status import Run
from veracitypro_pipeline.notify.delivery import ANNOUNCES_ITSELF_TAG, is_marked
from veracitypro_pipeline.run_lock import no_run_in_progress
from veracitypro_pipeline.runs.events import run_record
from veracitypro_pipeline.settings import Settings

_UNFINISHED: Final = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# A run without the lock is dead after so many seconds without an event. Its process may be slow to
# start or to write its last events.
SILENT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 1.0
KILLED: Final = "The process of this run was killed."


def complete(unfinished: list[Run], settings: Settings) -> None:
    """Fill in the end of runs, newest first, whose rows in MONITORING have none."""
    try:
        with no_run_in_progress(settings.home_dir):
            is_in_progress = False
    except Timeout:
        is_in_progress = True
    with dagster_instance(settings) as instance:
        for run in unfinished:
            _complete(run, instance, is_in_progress=is_in_progress and run is unfinished[0])


def _complete(run: Run, instance: dg.DagsterInstance, *, is_in_progress: bool) -> None:
    dagster_run = instance.get_run_by_id(run.run_id)
    if dagster_run is None and not is_in_progress:
        run.status = "unknown"
        run.failure = (
            "Its end is not recorded: it ran on a Dagster server that keeps no history and has"
            " stopped. `vp dev` keeps the history in the home."
        )
    elif dagster_run is not None and dagster_run.is_finished:
        summary = run_record(instance, run.run_id).summary
        failure = summary.failures[0] if summary.failures else None
        run.status, run.seconds = summary.status, summary.seconds
        run.tests_passed, run.tests_warned = summary.checks.passed, summary.checks.warned
        run.tests_failed = summary.checks.failed
        run.failed_step = failure.step if failure else None
        run.failure = failure.reason if failure else None
    elif dagster_run is not None and not is_in_progress and is_dead(instance, dagster_run):
        run.status = "killed"
        run.failure = "Its process is gone; the next run records this."


def is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process of an unfinished run is gone. Valid only while no run holds the lock."""
    if is_marked(run, ANNOUNCES_ITSELF_TAG):
        return True
    events = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    return not events or time.time() - events[0].timestamp > SILENT_SECONDS


def close_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark killed runs of `vp run` as failed. The caller must hold the run lock.

    Otherwise a run that looks alive would occupy Dagster's queue for ever. Runs of a Dagster server
    are left out, because they may be waiting for the lock.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if is_marked(run, ANNOUNCES_ITSELF_TAG):
            _close(instance, run)


def close_silent_runs(instance: dg.DagsterInstance, lock: BaseFileLock) -> None:
    """The same for all runs, before a server starts. It waits for a run with recent events, which
    may be about to take the lock or to end."""
    while True:
        try:
            with lock.acquire(timeout=0):
                unfinished = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
                dead = [run for run in unfinished if is_dead(instance, run)]
                for run in dead:
                    _close(instance, run)
        except Timeout:
            return  # A run is in progress, so no other is known to be dead.
        if len(dead) == len(unfinished):
            return
        time.sleep(_POLL_SECONDS)


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "Its process ended after the run had been stopped.")
    else:
        instance.report_run_failed(run, KILLED)
