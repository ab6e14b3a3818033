"""Brings Slack up to date with what Dagster's instance knows of recent runs.

What was said of a run stands in the run's own tags, which people are not shown. So it does not
matter who calls this, when, or how often: what is tagged is not said again, and what Slack did not
take is said by the next call. Only a process that dies between the two has one message said twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME, POWERBI_DATASET
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.notify.deadline import is_done
from veracitypro_pipeline.notify.messages import Links, Message
from veracitypro_pipeline.partitions import are_checks_alone, days_of, is_refused, runs_of_day
from veracitypro_pipeline.resources.slack import (
    Posted,
    SlackAway,
    SlackNotDelivered,
    SlackResource,
)
from veracitypro_pipeline.runs.events import (
    run_record,
    run_summary,
    was_stopped,
)
from veracitypro_pipeline.runs.summary import RunSummary
from veracitypro_pipeline.settings import Settings

# Dagster's UI shows no tag that begins like this, while queries find it (`HIDDEN_TAG_PREFIX` in
# `dagster._core.storage.tags`).
_HIDDEN: Final = ".dagster/vp_"
# A run that carries this tag tells Slack itself, because no daemon may be there to do it.
ANNOUNCES_ITSELF_TAG: Final = f"{_HIDDEN}announces_itself"
# Somebody watches this run and need not be told.
SILENT_TAG: Final = f"{_HIDDEN}is_silent"
# The message that began the run's thread, and the parts that were said since.
THREAD_TAG: Final = f"{_HIDDEN}slack_thread"
SAID_TAG: Final = f"{_HIDDEN}slack_said"
_END, _CHECKS, _ALL = "end", "checks", "all"

# Dagster's own: a failed run that the daemon repeats, and the run that was the first of such.
_WILL_RETRY_TAG: Final = "dagster/will_retry"
_ROOT_TAG: Final = "dagster/root_run_id"

# Runs older than this are no news, even if Slack was away meanwhile.
NEWS_DAYS: Final = 3
# Runs that the instance is asked for at once.
RUNS_A_PAGE: Final = 100
_TOLD: Final = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
# What people call the job that Dagster makes of "Materialize".
_JOB_TITLES: Final = {"__ASSET_JOB": "a run of selected assets"}


def tell(
    instance: dg.DagsterInstance, slack: SlackResource, *, of_vp_run: bool = False
) -> str | None:
    """Say what is due of recent runs, oldest first; returns why some of it could not be said.

    `of_vp_run` chooses the runs that announce themselves, or all others. Whatever is wrong with
    Slack or its settings is no fault of the data, and is not raised.
    """
    untold = None
    for record in reversed(_recent(instance)):
        run = record.dagster_run
        if is_marked(run, ANNOUNCES_ITSELF_TAG) is not of_vp_run or not _is_due(run):
            continue
        try:
            _Thread(instance, slack, record).tell()
        except Exception as reason:
            untold = masked(f"Slack was not told of a run yet; the next delivery says it: {reason}")
            if isinstance(reason, SlackAway):
                break
    return untold


def marks(run_id: str, *names: str) -> dict[str, str]:
    """Tags that say something of this run alone: Dagster gives those of a run to its re-execution,
    of which they are not true."""
    return dict.fromkeys(names, run_id)


def is_marked(run: dg.DagsterRun, tag: str) -> bool:
    """Whether `marks` was said of this run."""
    return run.tags.get(tag) == run.run_id


def links_of(settings: Settings) -> Links:
    """Where messages point to, as the settings say."""
    return Links(
        settings.dagster_url or "", settings.runbooks_url or "", settings.slack_mention_markup
    )


def _recent(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """Every run that may be news, newest first. All of them: a night that failed while Slack was
    away may lie behind any number of runs of which nothing is due."""
    since = datetime.now(UTC) - timedelta(days=NEWS_DAYS)
    filters = dg.RunsFilter(statuses=list(_TOLD), created_after=since)
    records: list[dg.RunRecord] = []
    cursor = None
    while page := instance.get_run_records(filters, limit=RUNS_A_PAGE, cursor=cursor):
        records += page
        cursor = page[-1].dagster_run.run_id
    return records


def _is_due(run: dg.DagsterRun) -> bool:
    if is_marked(run, SILENT_TAG) or is_refused(run):
        return False
    if run.status is dg.DagsterRunStatus.STARTED:
        return THREAD_TAG not in run.tags
    if run.tags.get(_WILL_RETRY_TAG) == "true":
        return False  # The daemon tries again; its last try is what counts.
    return _ALL not in _said(run)


def _said(run: dg.DagsterRun) -> list[str]:
    """The parts, unless they were said of the run that this one repeats."""
    run_id, _, parts = run.tags.get(SAID_TAG, "").partition(" ")
    return parts.split(",") if run_id == run.run_id else []


class _Thread:
    """What is said of one run."""

    def __init__(
        self, instance: dg.DagsterInstance, slack: SlackResource, record: dg.RunRecord
    ) -> None:
        self._instance, self._slack, self._dagster_record = instance, slack, record
        self._run = record.dagster_run
        self._job = _JOB_TITLES.get(self._run.job_name, self._run.job_name)
        self._said = _said(self._run)

    def tell(self) -> None:
        """Raises SlackNotDelivered; what was said before that is remembered."""
        # A webhook hears of the end only; the events of a run at work need not be read for it.
        if not self._run.is_finished and not self._slack.has_threads:
            return
        record = run_record(self._instance, self._run.run_id)
        if not self._run.is_finished:
            self._begun(messages.headline(record, self._job))
            return
        recovered = self._recovered()
        headline = messages.headline(record, self._job, recovered=recovered)
        end = messages.end(
            record,
            self._job,
            self._summary_before(),
            self._links()._replace(mention="") if was_stopped(record.summary) else self._links(),
            recovered=recovered,
        )
        checks = messages.checks(record.summary, self._links())
        if not self._slack.has_threads:
            self._once(_ALL, lambda: self._slack.post(*messages.at_once([end, checks])))
            return
        thread = self._begun(headline)
        is_loud = messages.calls_for_somebody(record.summary) and not was_stopped(record.summary)
        loud = recovered or is_loud
        self._once(_END, lambda: self._slack.post(*end, thread=thread, to_channel=loud))
        if checks is not None:
            self._once(_CHECKS, lambda: self._slack.post(*checks, thread=thread))
        self._once(_ALL, lambda: self._change(thread, headline))

    def _begun(self, headline: Message) -> Posted:
        """The message that begins the thread; a repetition goes on in the thread of the first."""
        kept = self._run.tags.get(THREAD_TAG)
        root = self._instance.get_run_by_id(self._run.tags.get(_ROOT_TAG, self._run.run_id))
        if kept is None and root is not None:
            kept = root.tags.get(THREAD_TAG)
        if kept is not None:
            channel, _, ts = kept.partition("/")
            posted = Posted(channel, ts)
        else:
            new = self._slack.post(*headline)
            assert new is not None
            posted = new
        self._tag({THREAD_TAG: f"{posted.channel}/{posted.ts}"})
        return posted

    def _change(self, posted: Posted, headline: Message) -> None:
        """Slack may refuse for good: somebody can delete a message."""
        try:
            self._slack.update(posted, *headline)
        except SlackAway:
            raise
        except SlackNotDelivered:
            return

    def _once(self, part: str, say: Callable[[], object]) -> None:
        if part not in self._said:
            say()
            self._said.append(part)
            self._tag({SAID_TAG: f"{self._run.run_id} {','.join(self._said)}"})

    def _tag(self, tags: dict[str, str]) -> None:
        self._instance.add_run_tags(self._run.run_id, tags)

    def _links(self) -> Links:
        return links_of(self._slack.settings.get())

    def _recovered(self) -> bool:
        """Whether this run brought what a failed one did not: a run before it, of the batch or of
        its day, failed, and since this one readers see the data of the day."""
        run, days = self._run, days_of(self._run)
        if run.status is not dg.DagsterRunStatus.SUCCESS or are_checks_alone(run):
            return False
        is_batch = run.job_name == JOB_NAME
        ended = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)
        created = self._dagster_record.create_timestamp
        before = [runs_of_day(self._instance, day, ended, created)[:1] for day in days]
        if is_batch and (of_batch := self._before(*ended)):
            before.append([of_batch])
        if not any(one.status is dg.DagsterRunStatus.FAILURE for found in before for one in found):
            return False
        if is_batch and not run.asset_selection:
            return True  # It went through the whole graph.
        refreshed = not run.asset_selection or POWERBI_DATASET in run.asset_selection
        return refreshed and all(is_done(self._instance, day) for day in days)

    def _summary_before(self) -> RunSummary | None:
        before = self._before(dg.DagsterRunStatus.SUCCESS)
        return None if before is None else run_summary(self._instance, before.run_id)

    def _before(self, *statuses: dg.DagsterRunStatus) -> dg.DagsterRun | None:
        """The newest run of the job that was created before this one and ended so."""
        older = self._instance.get_runs(
            dg.RunsFilter(
                job_name=self._run.job_name,
                statuses=list(statuses),
                created_before=self._dagster_record.create_timestamp,
            ),
            limit=RUNS_A_PAGE,
        )
        return next((run for run in older if not are_checks_alone(run)), None)
