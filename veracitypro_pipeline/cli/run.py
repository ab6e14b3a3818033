"""`vp run`: one daily batch, or several in order, as real Dagster runs in this process."""

import json
import logging
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from veracitypro_pipeline.cli.main import FAILED, CannotDo, common_options
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from veracitypro_pipeline.cli.progress import Progress
    from veracitypro_pipeline.run_summary import RunSummary

LOG_FILE: Final = "vp.log"
_QUIET_CONSOLE: Final = {"console": {"config": {"log_level": "CRITICAL"}}}


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no date: write it as YYYY-MM-DD, e.g. 2026-01-31.", param, ctx)


@click.command()
@click.option("--date", "day", type=_Day(), help="The as-of day  [default: yesterday, UTC]")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    help="Play this many days in order; the last one is --date.",
)
@click.option(
    "--products",
    type=click.Path(path_type=Path),
    help="Folder of Keepa payload files (*.json) to use in place of the generated catalogue. Of a"
    " product with several fetches, each day gets the next.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def run(day: date | None, days: int | None, products: Path | None, as_json: bool) -> None:
    """Run the daily batch through the whole graph: Airbyte, S3, RAW, dbt, Power BI.

    Without any account, on the local stack, which is started if need be. Running a day again
    changes no table. Ends with exit code 0 only if the run and all blocking checks went well.
    """
    settings = Settings.load()
    as_of_dates = _as_of_dates(day, days or 1)
    if products is not None and settings.environment != "local":
        raise CannotDo(
            f"--products feeds the local Keepa, but VP_ENVIRONMENT is {settings.environment}:"
            " leave it out, or set VP_ENVIRONMENT=local."
        )
    summaries = []
    try:
        for summary in _runs(settings, as_of_dates, products, quiet=as_json):
            summaries.append(summary)
            if not as_json:
                from veracitypro_pipeline.cli.progress import print_summary

                print_summary(summary)
    finally:
        # Also of the days before one that could not be run.
        if as_json and summaries:
            documents = [summary.model_dump(mode="json") for summary in summaries]
            click.echo(json.dumps(documents[0] if days is None else {"runs": documents}, indent=1))
    if not all(summary.is_good for summary in summaries):
        sys.exit(FAILED)


def _as_of_dates(last: date | None, count: int) -> list[date]:
    """The days to run, oldest first."""
    from veracitypro_pipeline.partitions import check_as_of_date, newest_as_of_date

    now = datetime.now(UTC)
    end = last or newest_as_of_date(now)
    try:
        check_as_of_date(end, now)
        return [
            check_as_of_date(end - timedelta(days=back), now) for back in reversed(range(count))
        ]
    except (ValueError, OverflowError) as error:
        raise CannotDo(str(error)) from error


def _runs(
    settings: Settings, as_of_dates: list[date], products: Path | None, *, quiet: bool
) -> Iterator["RunSummary"]:
    """Run the days in order; ends after the first that is not good."""
    from veracitypro_pipeline.cli.instance import bury_dead_runs, dagster_instance
    from veracitypro_pipeline.cli.progress import shown_progress

    with ExitStack() as stack:
        progress = stack.enter_context(shown_progress(quiet=quiet))
        progress.say("Loading Dagster and the graph")
        instance = stack.enter_context(dagster_instance(settings))
        from veracitypro_pipeline import definitions
        from veracitypro_pipeline.lineage import JOB_NAME

        job = definitions.defs.resolve_job_def(JOB_NAME)
        for as_of_date in as_of_dates:
            with _turn(settings, as_of_date, products, progress) as run_config:
                if settings.environment == "local":  # Elsewhere others may be at work.
                    bury_dead_runs(instance)
                summary = _run(instance, job, as_of_date, run_config, progress, settings)
            with progress.paused():
                yield summary
            if not summary.is_good:
                return


@contextmanager
def _turn(
    settings: Settings, as_of_date: date, products: Path | None, progress: "Progress"
) -> Iterator[dict[str, Any]]:
    """Have the local stack to ourselves with the day in play; gives the run's configuration."""
    if settings.environment != "local":
        yield {}
        return
    from veracitypro_pipeline.lineage import AIRBYTE_PRODUCT
    from veracitypro_pipeline.local.run_settings import one_run_at_a_time, started_stack
    from veracitypro_pipeline.local.stack import play_day

    with one_run_at_a_time(settings.home_dir, progress.say):
        progress.say("Starting the local stack")
        played = play_day(started_stack(settings), as_of_date, products=products)
        progress.say_day(f"{as_of_date}: {played.tracked} products from {played.source}")
        # Other products than those of the day's last sync need another sync.
        op = AIRBYTE_PRODUCT.to_python_identifier()
        yield {"ops": {op: {"config": {"resync": True}}}} if played.changed else {}


def _run(
    instance: "dg.DagsterInstance",
    job: "dg.JobDefinition",
    as_of_date: date,
    run_config: dict[str, Any],
    progress: "Progress",
    settings: Settings,
) -> "RunSummary":
    from veracitypro_pipeline.notify.telling import ANNOUNCES_ITSELF_TAG
    from veracitypro_pipeline.run_events import run_summary

    run_id = str(uuid.uuid4())
    reporter = _Reporter(instance)
    instance.add_event_listener(run_id, progress.on_event)
    instance.add_event_listener(run_id, reporter)
    # dbt's output and Dagster's log go to a file: a terminal gets the progress, a pipe the JSON.
    with (settings.home_dir / LOG_FILE).open("a", encoding="utf-8") as log, redirect_stdout(log):
        job.execute_in_process(
            run_id=run_id,
            instance=instance,
            partition_key=as_of_date.isoformat(),
            run_config={**run_config, "loggers": _QUIET_CONSOLE},
            tags={ANNOUNCES_ITSELF_TAG: "true"},
            raise_on_error=False,
        )
        reporter.report()
    return run_summary(instance, run_id)


class _Reporter:
    """Tells the tables of runs and Slack that the run began and how it ended, as the sensors do
    where a daemon runs."""

    def __init__(self, instance: "dg.DagsterInstance") -> None:
        self._instance = instance

    def __call__(self, entry: "dg.EventLogEntry") -> None:
        import dagster as dg

        event = entry.dagster_event
        if event is not None and event.event_type is dg.DagsterEventType.RUN_START:
            self.report()

    def report(self) -> None:
        import dagster as dg

        from veracitypro_pipeline import definitions
        from veracitypro_pipeline.monitoring.recording import record_runs
        from veracitypro_pipeline.notify.telling import tell

        log = logging.getLogger("vp")
        resources = definitions.build_resources(definitions.run_settings(Settings.load()))
        needed = {name: resources[name] for name in ("slack", "warehouse")}
        with dg.build_resources(needed) as built:
            record_runs(self._instance, built.warehouse, log)
            untold = tell(self._instance, built.slack, of_vp_run=True)
        if untold is not None:
            log.warning(untold)
