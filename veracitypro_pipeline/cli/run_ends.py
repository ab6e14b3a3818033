"""What became of runs that look as if they were still at work.

The Dagster instance of the home knows how a run ended, where a sensor or `vp run` has not recorded
it yet. A run is called killed only if its process is known to be gone: `vp run` holds the home's
place of a run until it has recorded its end; a run of a Dagster server holds it while its steps are
at work, and writes its first and last events without it.
"""

import time
from typing import Final

import dagster as dg
from filelock import BaseFileLock, Timeout

from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.monitoring.status import Run
from veracitypro_pipeline.notify.delivery import ANNOUNCES_ITSELF_TAG, is_marked
from veracitypro_pipeline.run_lock import no_run_at_work
from veracitypro_pipeline.runs.events import run_record
from veracitypro_pipeline.settings import Settings

_UNFINISHED: Final = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# Seconds without an event after which a run that holds no place is dead. Its process may be slow to
# start, or to write its last events.
SILENT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0
KILLED: Final = "The process of this run was killed."


def complete(begun: list[Run], settings: Settings) -> None:
    """Say of runs whose rows in MONITORING have no end, newest first, how they ended."""
    try:
        with no_run_at_work(settings.home_dir):
            is_at_work = False
    except Timeout:
        is_at_work = True
    with dagster_instance(settings) as instance:
        for run in begun:
            _complete(run, instance, is_at_work=is_at_work and run is begun[0])


def _complete(run: Run, instance: dg.DagsterInstance, *, is_at_work: bool) -> None:
    dagster_run = instance.get_run_by_id(run.run_id)
    if dagster_run is None and not is_at_work:
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
    elif dagster_run is not None and not is_at_work and is_dead(instance, dagster_run):
        run.status = "killed"
        run.failure = "Its process is gone; the next run records this."


def is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether an unfinished run has no process any more. Only while no run holds the place."""
    if is_marked(run, ANNOUNCES_ITSELF_TAG):
        return True
    events = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    return not events or time.time() - events[0].timestamp > SILENT_SECONDS


def bury_dead_runs(instance: dg.DagsterInstance) -> None:
    """Record how runs of `vp run` ended that were killed. Only for who holds the place of a run.

    A run that looks alive would keep its place in Dagster's queue for ever. Runs of other origin
    may be waiting for the place.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if is_marked(run, ANNOUNCES_ITSELF_TAG):
            _bury(instance, run)


def bury_when_silent(instance: dg.DagsterInstance, place: BaseFileLock) -> None:
    """The same of all runs, before a server begins. One that was heard of a moment ago may be about
    to take the place or to end, so it is waited for."""
    while True:
        try:
            with place.acquire(timeout=0):
                unfinished = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
                dead = [run for run in unfinished if is_dead(instance, run)]
                for run in dead:
                    _bury(instance, run)
        except Timeout:
            return  # A run is at work, so nothing is known to be dead.
        if len(dead) == len(unfinished):
            return
        time.sleep(_LOOK_SECONDS)


def _bury(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "Its process ended after somebody had stopped it.")
    else:
        instance.report_run_failed(run, KILLED)
