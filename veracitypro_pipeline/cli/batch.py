"""Runs daily batches as Dagster runs in this process, one after the other, and prints each.

`vp run` and `vp backfill` choose the days and where their data comes from.
"""

import json
import logging
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from veracitypro_pipeline.cli import stopping
from veracitypro_pipeline.cli.main import FAILED, CannotDo
from veracitypro_pipeline.cli.streams import lossy_file, output_may_be_lost
from veracitypro_pipeline.home import LOG_FILE
from veracitypro_pipeline.runs.summary import CANCELED
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources import STREAMS
from veracitypro_pipeline.sources.keepa import KEEPA

if TYPE_CHECKING:
    import dagster as dg

    from veracitypro_pipeline.cli.progress import Progress
    from veracitypro_pipeline.resources.slack import SlackResource
    from veracitypro_pipeline.runs.summary import RunSummary

# The most that a slow Slack may add to a run: the time-out of one call, and a little.
SLACK_SECONDS: Final = 75.0
_NO_LOG: Final = logging.getLogger("vp.no_log")
_NO_LOG.disabled = True
_QUIET_CONSOLE: Final = {"console": {"config": {"log_level": "CRITICAL"}}}
_FULL_REFRESH: Final = {"dbt_models": {"config": {"full_refresh": True}}}


class Day(click.ParamType[date]):
    """A date as an option."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date: write YYYY-MM-DD, e.g. 2026-01-31.", param, ctx)


@dataclass(frozen=True)
class Batch:
    """The days to run, oldest first.

    `products` replaces the products of the local Keepa: a folder of payloads, or a number of
    products of its catalogue (0: the tracked ones). `is_from_s3` leaves out Airbyte and loads again
    what S3 holds of the days; `is_full_refresh` then rebuilds every table, on the first day.
    """

    as_of_dates: Sequence[date]
    products: Path | int = 0
    is_from_s3: bool = False
    is_full_refresh: bool = False

    def from_s3(self, as_of_date: date) -> dict[str, Any]:
        """The run configuration of a day loaded from S3, although RAW's ledger lists its files."""
        from veracitypro_pipeline.lineage import raw_key

        is_refreshed = self.is_full_refresh and as_of_date == self.as_of_dates[0]
        reload = {
            raw_key(stream).to_python_identifier(): {"config": {"reload": True}}
            for stream in STREAMS
        }
        return {"ops": {**reload, **(_FULL_REFRESH if is_refreshed else {})}}


def run_batch(batch: Batch, settings: Settings, *, as_json: bool, as_list: bool) -> None:
    """Run the days in order and print each. A day that is not good ends the process: with exit code
    1, or with that of the signal that stopped it. Closed output changes neither runs nor exit code.

    `as_json` prints one document at the end instead: of the only run, or `as_list` of all.
    """
    summaries = []
    try:
        for summary in _runs(batch, settings, quiet=as_json):
            summaries.append(summary)
            if not as_json:
                from veracitypro_pipeline.cli.progress import print_summary

                with output_may_be_lost():
                    print_summary(summary)
    finally:
        # Printed even if a later day could not be run.
        if as_json and summaries:
            documents = [summary.model_dump(mode="json") for summary in summaries]
            with output_may_be_lost():
                click.echo(json.dumps({"runs": documents} if as_list else documents[0], indent=1))
    if not all(summary.is_good for summary in summaries):
        is_stopped = summaries[-1].status == CANCELED
        sys.exit(stopping.exit_code() if is_stopped else FAILED)


def _runs(batch: Batch, settings: Settings, *, quiet: bool) -> Iterator["RunSummary"]:
    from veracitypro_pipeline.cli.instance import dagster_instance
    from veracitypro_pipeline.cli.progress import shown_progress

    with ExitStack() as stack:
        progress = stack.enter_context(shown_progress(quiet=quiet))
        progress.say("Loading Dagster and the graph")
        instance = stack.enter_context(dagster_instance(settings))
        from veracitypro_pipeline import definitions
        from veracitypro_pipeline.cli.run_ends import close_killed_runs
        from veracitypro_pipeline.lineage import JOB_NAME

        job = definitions.defs.resolve_job_def(JOB_NAME)
        for as_of_date in batch.as_of_dates:
            with _turn(batch, settings, as_of_date, progress) as run_config:
                if batch.is_from_s3 and as_of_date == batch.as_of_dates[0]:
                    _require_syncs(batch.as_of_dates, settings)
                close_killed_runs(instance)
                options = _options(batch, as_of_date, run_config, job)
                summary = _run(instance, job, options, progress, settings)
            with progress.paused():
                yield summary
            if not summary.is_good:
                return


def _require_syncs(as_of_dates: Sequence[date], settings: Settings) -> None:
    """Checked before the first run, so that no run is recorded that must fail.

    Raises:
        CannotDo: one of the days was never synced.
    """
    from veracitypro_pipeline import definitions
    from veracitypro_pipeline.lineage import ingest_key
    from veracitypro_pipeline.stage_values.sync import SyncReport

    resources = definitions.build_resources(definitions.run_settings(settings))
    state_store = resources["state_store"]
    names = [ingest_key(stream).to_user_string() for stream in STREAMS]
    for day in as_of_dates:
        if all(state_store.read(f"{name}/{day}", SyncReport) is None for name in names):
            raise CannotDo(
                f"S3 has no files of {day}, which was never synced: run `vp run --date {day}`"
                " first, or leave the day out."
            )


@contextmanager
def _turn(
    batch: Batch, settings: Settings, as_of_date: date, progress: "Progress"
) -> Iterator[dict[str, Any]]:
    """Hold the home's run lock and bring the local stack to the day; yields the configuration of
    the run."""
    from veracitypro_pipeline.lineage import ingest_key
    from veracitypro_pipeline.local.stack.lifecycle import play_day
    from veracitypro_pipeline.local.stack.run_settings import started_stack
    from veracitypro_pipeline.run_lock import one_run_at_a_time

    with one_run_at_a_time(settings.home_dir, progress.say):
        if settings.environment != "local":
            yield batch.from_s3(as_of_date) if batch.is_from_s3 else {}
            return
        stack = started_stack(settings, progress.say)
        if batch.is_from_s3:
            play_day(stack, as_of_date)
            progress.say_day(f"{as_of_date}: the files in S3")
            yield batch.from_s3(as_of_date)
            return
        played = play_day(stack, as_of_date, products=batch.products)
        products = "1 product" if played.tracked == 1 else f"{played.tracked} products"
        progress.say_day(f"{as_of_date}: {products} from {played.source}")
        if played.before:
            progress.say(
                f"The tables of {settings.home_dir} keep the products from {played.before} beside"
                " these: for tables of these alone, name another folder with --home."
            )
        # Products other than those of the day's last sync need a new sync.
        syncs = [ingest_key(stream).to_python_identifier() for stream in KEEPA.streams]
        resync = {"ops": {sync: {"config": {"resync": True}} for sync in syncs}}
        yield resync if played.changed else {}


def _options(
    batch: Batch, as_of_date: date, run_config: dict[str, Any], job: "dg.JobDefinition"
) -> dict[str, Any]:
    """The arguments for `execute_in_process`."""
    from veracitypro_pipeline.lineage import INGEST, stage_of
    from veracitypro_pipeline.notify.delivery import ANNOUNCES_ITSELF_TAG, SILENT_TAG, marks

    run_id = str(uuid.uuid4())
    options: dict[str, Any] = {
        "run_id": run_id,
        "partition_key": as_of_date.isoformat(),
        "run_config": {**run_config, "loggers": _QUIET_CONSOLE},
        "tags": marks(run_id, ANNOUNCES_ITSELF_TAG),
    }
    if batch.is_from_s3:
        # A person watches it, and a month of days would be a month of threads.
        options["tags"] |= marks(run_id, SILENT_TAG)
        keys = job.asset_layer.executable_asset_keys
        options["asset_selection"] = [key for key in keys if stage_of(key) != INGEST]
    return options


def _run(
    instance: "dg.DagsterInstance",
    job: "dg.JobDefinition",
    options: dict[str, Any],
    progress: "Progress",
    settings: Settings,
) -> "RunSummary":
    import dagster as dg

    from veracitypro_pipeline.runs.events import run_summary

    run_id = options["run_id"]
    reporter = _Reporter(instance, settings)
    instance.add_event_listener(run_id, progress.on_event)
    instance.add_event_listener(run_id, reporter)
    # dbt's output and Dagster's log go to a file: a terminal gets the progress, a pipe the JSON.
    with (
        lossy_file(settings.home_dir / LOG_FILE) as log,
        redirect_stdout(log),
        stopping.watched_stops() as was_interrupted,
    ):

        def stop(entry: dg.EventLogEntry) -> None:
            """Needed because Dagster may retry an interrupted step or go on to the next one."""
            event = entry.dagster_event
            is_start = event is not None and event.event_type in (
                dg.DagsterEventType.STEP_START,
                dg.DagsterEventType.STEP_RESTARTED,
            )
            if is_start and was_interrupted():
                raise KeyboardInterrupt

        instance.add_event_listener(run_id, stop)
        with (
            suppress(KeyboardInterrupt, dg.DagsterExecutionInterruptedError),
            _as_of_the_code_location(instance, job.name),
        ):
            job.execute_in_process(
                instance=instance,
                raise_on_error=False,
                **options,
            )
        run = instance.get_run_by_id(run_id)
        if run is None:
            raise KeyboardInterrupt
        if was_interrupted() and run.status is not dg.DagsterRunStatus.SUCCESS:
            # Dagster calls it a failure, because the run was not cancelled through its instance.
            instance.report_run_canceled(run, f"Stopped by {stopping.name()}.")
        reporter.report_end()
    return run_summary(instance, run_id)


@contextmanager
def _as_of_the_code_location(instance: "dg.DagsterInstance", job: str) -> Iterator[None]:
    """Let Dagster create runs with the origin of the job in the code location. Its UI then lists
    them with the job and can execute them again. `execute_in_process` has no option for this."""
    from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

    from veracitypro_pipeline.lineage import CODE_LOCATION

    origin = RemoteRepositoryOrigin(
        RegisteredCodeLocationOrigin(CODE_LOCATION), SINGLETON_REPOSITORY_NAME
    ).get_job_origin(job)
    create = instance.create_run_for_job
    instance.create_run_for_job = partial(create, remote_job_origin=origin)  # type: ignore[method-assign]
    try:
        yield
    finally:
        instance.create_run_for_job = create  # type: ignore[method-assign]


class _Reporter:
    """Records the run and posts to Slack when it starts and ends, as the sensors do where a daemon
    runs."""

    def __init__(self, instance: "dg.DagsterInstance", settings: Settings) -> None:
        from veracitypro_pipeline import definitions

        resources = definitions.build_resources(definitions.run_settings(settings))
        self._instance, self._warehouse = instance, resources["warehouse"]
        self._notifier = Notifier(instance, resources["slack"])
        self._log = logging.getLogger("vp")

    def __call__(self, entry: "dg.EventLogEntry") -> None:
        import dagster as dg

        event = entry.dagster_event
        if event is not None and event.event_type is dg.DagsterEventType.RUN_START:
            # A failure to record now is logged at the end, if it lasts.
            self._record(_NO_LOG)
            self._notifier.start()

    def report_end(self) -> None:
        self._record(self._log)
        self._notifier.finish()

    def _record(self, log: logging.Logger) -> None:
        from veracitypro_pipeline.monitoring.recording import record_runs

        record_runs(self._instance, self._warehouse, log)


class Notifier:
    """Posts to Slack in a thread, so that a slow Slack delays only the end of the run, by at most
    `SLACK_SECONDS`."""

    # Shared by all runs of the process: two deliveries at once would send messages twice.
    _one_at_a_time = threading.Lock()

    def __init__(self, instance: "dg.DagsterInstance", slack: "SlackResource") -> None:
        self._instance, self._slack = instance, slack
        self._log = logging.getLogger("vp")

    def start(self) -> threading.Thread:
        """Send what is due now, in the background."""
        thread = threading.Thread(target=self._deliver, name="slack", daemon=True)
        thread.start()
        return thread

    def finish(self) -> None:
        """Send what is due and wait for it, at most `SLACK_SECONDS`."""
        last = self.start()
        last.join(SLACK_SECONDS)
        if last.is_alive():
            self._log.warning(
                f"Slack did not accept the messages about this run within {SLACK_SECONDS:.0f} s;"
                " the next delivery sends them."
            )

    def _deliver(self) -> None:
        from veracitypro_pipeline.notify.delivery import deliver

        with self._one_at_a_time:
            undelivered = deliver(self._instance, self._slack, of_vp_run=True)
        if undelivered is not None:
            self._log.warning(undelivered)
