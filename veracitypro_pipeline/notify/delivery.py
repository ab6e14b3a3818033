"""Sends Slack the messages that recent runs of a Dagster instance still lack.

Each run's own tags, hidden in the UI, list the messages sent about it. So `deliver` can be called
by any process, at any time and any number of times: it sends what is not tagged, and what Slack did
not accept is sent by the next call. A message is sent twice only if the process dies between the
message and its tag.
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
from veracitypro_pipeline.partitions import are_checks_alone, days_of, is_rejected, runs_of_day
from veracitypro_pipeline.resources.slack import (
    Posted,
    SlackError,
    SlackResource,
    SlackUnavailableError,
)
from veracitypro_pipeline.runs.events import (
    run_record,
    run_summary,
    was_stopped,
)
from veracitypro_pipeline.runs.summary import RunSummary
from veracitypro_pipeline.settings import Settings

# Dagster's UI hides tags with this prefix, but queries find them (`HIDDEN_TAG_PREFIX` in
# `dagster._core.storage.tags`). The tags are stored with the runs: never change one.
_HIDDEN: Final = ".dagster/vp_"
# A run with this tag posts to Slack itself, because there may be no daemon to do it.
ANNOUNCES_ITSELF_TAG: Final = f"{_HIDDEN}announces_itself"
# Nothing is sent about a run with this tag: a person is watching it.
SILENT_TAG: Final = f"{_HIDDEN}is_silent"
# The message that began the run's thread, and the parts sent since.
THREAD_TAG: Final = f"{_HIDDEN}slack_thread"
SENT_TAG: Final = f"{_HIDDEN}slack_said"
_END, _CHECKS, _ALL = "end", "checks", "all"

# Dagster's own tags: a failed run that the daemon will retry, and the first run of its retries.
_WILL_RETRY_TAG: Final = "dagster/will_retry"
_ROOT_TAG: Final = "dagster/root_run_id"

# Nothing is sent about older runs, even if Slack was unreachable since.
NEWS_DAYS: Final = 3
# Runs per query of the instance.
RUNS_A_PAGE: Final = 100
_REPORTED: Final = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
# What people call the job that Dagster makes of "Materialize".
_JOB_TITLES: Final = {"__ASSET_JOB": "a run of selected assets"}


def deliver(
    instance: dg.DagsterInstance, slack: SlackResource, *, of_vp_run: bool = False
) -> str | None:
    """Send the messages that are due, oldest run first; return why one could not be sent.

    `of_vp_run` selects the runs that announce themselves instead of all others. Errors of Slack and
    of its settings are returned, not raised: they must not fail a run.
    """
    undelivered = None
    for record in reversed(_recent(instance)):
        run = record.dagster_run
        if is_marked(run, ANNOUNCES_ITSELF_TAG) is not of_vp_run or not _is_due(run):
            continue
        try:
            _Thread(instance, slack, record).deliver()
        except Exception as reason:
            undelivered = masked(
                f"A message about a run was not sent; the next delivery sends it: {reason}"
            )
            if isinstance(reason, SlackUnavailableError):
                break
    return undelivered


def marks(run_id: str, *names: str) -> dict[str, str]:
    """Tags whose value is the run's id. Dagster copies tags to a re-execution, where `is_marked`
    must be false."""
    return dict.fromkeys(names, run_id)


def is_marked(run: dg.DagsterRun, tag: str) -> bool:
    """Whether the run got this tag from `marks`, not from the run that it repeats."""
    return run.tags.get(tag) == run.run_id


def links_of(settings: Settings) -> Links:
    """The links and the mention of the settings."""
    return Links(
        settings.dagster_url or "", settings.runbooks_url or "", settings.slack_mention_markup
    )


def _recent(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """All runs of the last `NEWS_DAYS`, newest first. A limit could hide a failed night behind many
    runs about which nothing is due."""
    since = datetime.now(UTC) - timedelta(days=NEWS_DAYS)
    filters = dg.RunsFilter(statuses=list(_REPORTED), created_after=since)
    records: list[dg.RunRecord] = []
    cursor = None
    while page := instance.get_run_records(filters, limit=RUNS_A_PAGE, cursor=cursor):
        records += page
        cursor = page[-1].dagster_run.run_id
    return records


def _is_due(run: dg.DagsterRun) -> bool:
    if is_marked(run, SILENT_TAG) or is_rejected(run):
        return False
    if run.status is dg.DagsterRunStatus.STARTED:
        return THREAD_TAG not in run.tags
    if run.tags.get(_WILL_RETRY_TAG) == "true":
        return False  # Only the last retry is reported.
    return _ALL not in _sent(run)


def _sent(run: dg.DagsterRun) -> list[str]:
    """The parts sent about this run; a re-execution inherits the tag of its parent."""
    run_id, _, parts = run.tags.get(SENT_TAG, "").partition(" ")
    return parts.split(",") if run_id == run.run_id else []


class _Thread:
    """The messages about one run."""

    def __init__(
        self, instance: dg.DagsterInstance, slack: SlackResource, record: dg.RunRecord
    ) -> None:
        self._instance, self._slack, self._dagster_record = instance, slack, record
        self._run = record.dagster_run
        self._job = _JOB_TITLES.get(self._run.job_name, self._run.job_name)
        self._sent = _sent(self._run)

    def deliver(self) -> None:
        """Raises SlackError; the parts sent before that are tagged."""
        # A webhook gets one message, at the end, so events of a running run need not be read.
        if not self._run.is_finished and not self._slack.has_threads:
            return
        record = run_record(self._instance, self._run.run_id)
        if not self._run.is_finished:
            self._started(messages.headline(record, self._job))
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
        thread = self._started(headline)
        is_loud = messages.needs_a_person(record.summary) and not was_stopped(record.summary)
        loud = recovered or is_loud
        self._once(_END, lambda: self._slack.post(*end, thread=thread, to_channel=loud))
        if checks is not None:
            self._once(_CHECKS, lambda: self._slack.post(*checks, thread=thread))
        self._once(_ALL, lambda: self._change(thread, headline))

    def _started(self, headline: Message) -> Posted:
        """The first message of the thread; a re-execution continues the thread of its root run."""
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
        """Ignores a permanent error: the message may have been deleted."""
        try:
            self._slack.update(posted, *headline)
        except SlackUnavailableError:
            raise
        except SlackError:
            return

    def _once(self, part: str, send: Callable[[], object]) -> None:
        if part not in self._sent:
            send()
            self._sent.append(part)
            self._tag({SENT_TAG: f"{self._run.run_id} {','.join(self._sent)}"})

    def _tag(self, tags: dict[str, str]) -> None:
        self._instance.add_run_tags(self._run.run_id, tags)

    def _links(self) -> Links:
        return links_of(self._slack.settings.get())

    def _recovered(self) -> bool:
        """Whether this run recovers from a failure: the run before it, of the batch or of its day,
        failed, and reports show the data of the day since this run."""
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
            return True  # It materialized the whole graph.
        refreshed = not run.asset_selection or POWERBI_DATASET in run.asset_selection
        return refreshed and all(is_done(self._instance, day) for day in days)

    def _summary_before(self) -> RunSummary | None:
        before = self._before(dg.DagsterRunStatus.SUCCESS)
        return None if before is None else run_summary(self._instance, before.run_id)

    def _before(self, *statuses: dg.DagsterRunStatus) -> dg.DagsterRun | None:
        """The newest run of the job with such a status that was created before this one."""
        older = self._instance.get_runs(
            dg.RunsFilter(
                job_name=self._run.job_name,
                statuses=list(statuses),
                created_before=self._dagster_record.create_timestamp,
            ),
            limit=RUNS_A_PAGE,
        )
        return next((run for run in older if not are_checks_alone(run)), None)
