"""Slack messages about the runs of a real Dagster instance: one thread a run, each part once."""

import uuid
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from tests.support.ui_runs import checks_alone
from veracitypro_pipeline.failures import (
    INTERRUPTED,
    Interrupted,
    PermanentFailure,
    TransientFailure,
)
from veracitypro_pipeline.lineage import MART, POWERBI_DATASET, model_key, raw_key
from veracitypro_pipeline.notify import delivery
from veracitypro_pipeline.notify.delivery import (
    ANNOUNCES_ITSELF_TAG,
    SENT_TAG,
    SILENT_TAG,
    THREAD_TAG,
    deliver,
    marks,
)
from veracitypro_pipeline.notify.sensors import slack_is_told
from veracitypro_pipeline.partitions import mark_as_rejected
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.slack import Posted, SlackError, SlackUnavailableError
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW


class Slack:
    """Keeps the messages it accepts; after `accepts` of them it is unreachable."""

    def __init__(self, *, has_threads: bool = True, accepts: int = 99) -> None:
        self.has_threads, self.accepts = has_threads, accepts
        self.rejects = ""
        self.taken: list[tuple[str, str]] = []
        self.blocks: list[Sequence[dict[str, Any]]] = []
        self.settings = SimpleNamespace(get=Settings.load)

    def post(
        self,
        text: str,
        blocks: Sequence[dict[str, Any]],
        *,
        thread: Posted | None = None,
        to_channel: bool = False,
    ) -> Posted | None:
        where = "channel" if thread is None else "thread and channel" if to_channel else "thread"
        self._take(where, text, blocks)
        return Posted("C1", f"{len(self.taken)}.0") if self.has_threads else None

    def update(self, posted: Posted, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        assert self.taken[int(float(posted.ts)) - 1][0] == "channel"
        self._take("update", text, blocks)

    def _take(self, where: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        if len(self.taken) >= self.accepts:
            raise SlackUnavailableError("Slack did not answer.")
        if where == self.rejects:
            raise SlackError("Slack rejected the message: message_not_found.")
        self.taken.append((where, text.partition(" in ")[0]))
        self.blocks.append(blocks)


class Team:
    """An instance with runs, and the Slack that gets their messages."""

    def __init__(self, instance: dg.DagsterInstance, slack: Slack) -> None:
        self.instance, self.slack = instance, slack
        self.error: Exception | None = None
        self.is_rejected = False
        self.severity: dg.AssetCheckSeverity | None = None

    def defs(self) -> dg.Definitions:
        """An asset that raises `error`, and a check that is red with `severity`, if these are
        set."""

        @dg.asset(
            key=raw_key(PRODUCT_RAW),
            partitions_def=dg.DailyPartitionsDefinition("2025-11-15"),
            retry_policy=dg.RetryPolicy(max_retries=2),
        )
        def keepa_raw(context: dg.AssetExecutionContext) -> None:
            if self.is_rejected:
                mark_as_rejected(context.instance, context.run.run_id)
                raise PermanentFailure("The day has no sync.")
            if self.error is not None:
                raise self.error

        @dg.asset_check(asset=keepa_raw, required_resource_keys={"run_settings"})
        def lines_are_json() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(
                passed=self.severity is None,
                severity=self.severity or dg.AssetCheckSeverity.WARN,
                description="1 of 24 lines is refused.",
            )

        return dg.Definitions(
            assets=[keepa_raw],
            asset_checks=[lines_are_json],
            jobs=[dg.define_asset_job("vp_daily_batch", selection=dg.AssetSelection.all())],
            resources={"run_settings": RunSettings()},
            executor=dg.in_process_executor,
        )

    def night(self, run_id: str | None = None, **tags: str) -> str:
        """A run of the batch for a day."""
        return (
            self.defs()
            .resolve_job_def("vp_daily_batch")
            .execute_in_process(
                instance=self.instance,
                run_id=run_id,
                raise_on_error=False,
                tags={"dagster/partition": "2026-01-31", **tags},
            )
            .run_id
        )

    def deliver(self, **options: Any) -> str | None:
        return deliver(self.instance, self.slack, **options)  # type: ignore[arg-type]


@pytest.fixture
def team() -> Iterator[Team]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Team(instance, Slack())


RUN_OF_VP = "8767e52d-0000-4000-8000-000000000000"
GREEN, YELLOW, RED = ":large_green_circle:", ":large_yellow_circle:", ":red_circle:"
OF_NIGHT = "for 2026-01-31"


def test_a_night_is_one_thread_whose_headline_shows_its_end(team: Team) -> None:
    run = team.instance.create_run_for_job(
        dg.job(name="vp_daily_batch")(lambda: None), tags={"dagster/partition": "2026-01-31"}
    )
    began = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "vp_daily_batch")
    team.instance.report_dagster_event(began, run.run_id)
    assert team.deliver() is None
    ended = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "vp_daily_batch")
    team.instance.report_dagster_event(ended, run.run_id)
    assert team.deliver() is None
    assert team.deliver() is None

    assert team.slack.taken == [
        ("channel", f":arrow_forward: vp_daily_batch started {OF_NIGHT}"),
        ("thread", f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"),
        ("update", f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"),
    ]


def test_a_failure_is_loud_once_however_often_its_step_was_retried(team: Team) -> None:
    team.error = TransientFailure("S3 is away.")
    team.night()
    team.deliver()
    team.deliver()

    headline = f"{RED} vp_daily_batch failed {OF_NIGHT}"
    assert team.slack.taken == [
        ("channel", headline),
        ("thread and channel", headline),
        ("update", headline),
    ]
    assert "<!here>" in str(team.slack.blocks[1])
    assert str(team.slack.blocks[1]).count("S3 is away.") == 1


@pytest.mark.parametrize(
    ("severity", "icon", "verb", "where", "counts"),
    [
        (dg.AssetCheckSeverity.WARN, YELLOW, "succeeded", "thread", "0 failed, 1 warned"),
        (
            dg.AssetCheckSeverity.ERROR,
            RED,
            "ended with failed checks",
            "thread and channel",
            "1 failed, 0 warned",
        ),
    ],
)
def test_red_checks_are_one_digest_in_the_thread(
    team: Team, severity: dg.AssetCheckSeverity, icon: str, verb: str, where: str, counts: str
) -> None:
    team.severity = severity
    team.night()
    team.deliver()

    headline = f"{icon} vp_daily_batch {verb} {OF_NIGHT}"
    assert team.slack.taken == [
        ("channel", headline),
        (where, headline),
        ("thread", f"Checks for 2026-01-31: {counts}"),
        ("update", headline),
    ]
    assert ("<!here>" in str(team.slack.blocks)) is (severity is dg.AssetCheckSeverity.ERROR)


def test_the_first_good_night_after_a_bad_one_is_a_recovery_and_loud(team: Team) -> None:
    team.error = PermanentFailure("The bucket is gone.")
    team.night()
    team.error = None
    team.night()
    team.night()
    team.deliver()

    messages = [text for where, text in team.slack.taken if where != "update"][2:]
    assert messages == [
        *[f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"] * 2,
        *[f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"] * 2,
    ]
    assert [where for where, _ in team.slack.taken].count("thread and channel") == 2


def test_checks_that_are_executed_alone_raise_no_alarm(team: Team) -> None:
    """A person executes a check in the UI, and it is red: the night has not failed, and the next
    night is no recovery."""
    team.night()
    team.severity = dg.AssetCheckSeverity.ERROR
    checks_alone(
        team.instance, team.defs(), dg.AssetCheckKey(raw_key(PRODUCT_RAW), "lines_are_json")
    )
    team.severity = None
    team.deliver()
    team.night()
    team.deliver()

    title = f"{RED} Checks executed alone {OF_NIGHT}: 1 failed"
    assert team.slack.taken[3:7] == [
        ("channel", title),
        ("thread", title),
        ("thread", "Checks for 2026-01-31: 1 failed, 0 warned"),
        ("update", title),
    ]
    assert "<!here>" not in str(team.slack.blocks)
    assert "No table was loaded or built" in str(team.slack.blocks[4])
    assert team.slack.taken[-1] == ("update", f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}")


def test_rejected_days_of_a_backfill_are_not_reported(team: Team) -> None:
    """ "All" partitions are hundreds of runs, and the person who started them sees their end."""
    team.is_rejected = True
    team.night(**{"dagster/backfill": "one"})
    team.deliver()
    assert team.slack.taken == []
    team.night()  # A rejected run of the schedule is reported.
    team.deliver()
    assert team.slack.taken[0] == ("channel", f"{RED} vp_daily_batch failed {OF_NIGHT}")


def test_checks_without_a_day_to_judge_raise_no_alarm(team: Team) -> None:
    checks_alone(
        team.instance, team.defs(), dg.AssetCheckKey(raw_key(PRODUCT_RAW), "lines_are_json")
    )
    team.deliver()
    assert (
        team.slack.taken[0][1] == f"{YELLOW} Checks executed alone for no partition have no result"
    )
    assert "knows no materialization of raw/keepa_raw" in str(team.slack.blocks)
    assert "<!here>" not in str(team.slack.blocks)


@pytest.mark.parametrize(("is_whole", "verb"), [(False, "succeeded"), (True, "recovered")])
def test_selected_assets_recover_a_day_only_with_its_data(
    team: Team, is_whole: bool, verb: str
) -> None:
    """Power BI can be refreshed for a day that was never loaded."""
    team.error = PermanentFailure("The bucket is gone.")
    team.night()
    team.deliver()
    team.error = None
    marts = [model_key(MART, mart) for mart in MARTS]
    keys = [raw_key(PRODUCT_RAW), *marts, POWERBI_DATASET] if is_whole else [POWERBI_DATASET]
    partitions = dg.DailyPartitionsDefinition("2025-11-15")

    @dg.multi_asset(specs=[dg.AssetSpec(key, partitions_def=partitions) for key in keys])
    def selected() -> Iterator[dg.MaterializeResult[Any]]:
        yield from (dg.MaterializeResult(asset_key=key) for key in keys)

    job = dg.Definitions(assets=[selected]).resolve_implicit_global_asset_job_def()
    day_of_backfill = {
        "dagster/asset_partition_range_start": "2026-01-31",
        "dagster/asset_partition_range_end": "2026-01-31",
    }
    job.execute_in_process(instance=team.instance, tags=day_of_backfill)
    team.deliver()
    icon_and_text = f"{GREEN} a run of selected assets {verb} {OF_NIGHT}"
    assert team.slack.taken[-1] == ("update", icon_and_text)


@pytest.mark.parametrize("accepts", range(5))
def test_the_next_delivery_sends_what_slack_did_not_accept_and_nothing_twice(
    team: Team, accepts: int
) -> None:
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.slack.accepts = accepts
    undelivered = team.deliver()
    assert (undelivered is None) is (accepts >= 4)

    team.slack.accepts = 99
    assert team.deliver() is None
    assert [where for where, _ in team.slack.taken] == ["channel", "thread", "thread", "update"]


def test_a_message_that_slack_always_rejects_holds_up_no_other(team: Team) -> None:
    """The reply about the first night is rejected; later, deleted headlines cannot be updated."""
    team.error = PermanentFailure("The bucket is gone.")
    team.night()
    team.slack.rejects = "thread and channel"
    assert "message_not_found" in str(team.deliver())
    team.error = None
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.night()
    team.deliver()
    assert [where for where, _ in team.slack.taken] == [
        *["channel", "channel"],
        *["channel", "thread", "thread", "update"],
    ]

    team.slack.rejects = "update"
    assert team.deliver() is None
    assert team.deliver() is None
    assert [where for where, _ in team.slack.taken][6:] == [
        *["thread and channel"],
        *["thread and channel", "thread"],
    ]


def test_a_webhook_gets_one_message_at_the_end(team: Team) -> None:
    team.slack.has_threads = False
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.deliver()
    team.deliver()

    assert team.slack.taken == [("channel", f"{YELLOW} vp_daily_batch succeeded {OF_NIGHT}")]
    assert "lines_are_json" in str(team.slack.blocks[0])


def test_a_run_that_the_daemon_retries_is_reported_once_by_its_last_try(team: Team) -> None:
    team.error = TransientFailure("S3 is away.")
    first = team.night(**{"dagster/will_retry": "true"})
    team.deliver()
    assert team.slack.taken == []
    team.night(**{"dagster/root_run_id": first})
    team.deliver()

    assert [where for where, _ in team.slack.taken] == ["channel", "thread and channel", "update"]


def test_a_run_whose_process_was_stopped_mentions_no_one(team: Team) -> None:
    """Dagster calls a stopped container a failure. The deadline reports it if the day is
    missing."""
    team.error = Interrupted(INTERRUPTED)
    team.night()
    team.deliver()
    assert [where for where, _ in team.slack.taken] == ["channel", "thread", "update"]
    assert "<!here>" not in str(team.slack.blocks)


def test_a_night_executed_again_in_the_ui_is_reported_in_the_same_thread(team: Team) -> None:
    """Dagster copies all tags to the second run, with the parts sent about the first. Its messages
    continue the thread of the first."""
    team.error = PermanentFailure("The bucket is gone.")
    first = team.night()
    team.deliver()
    (failed,) = team.instance.get_runs()
    team.error = None
    team.night(**failed.tags, **{"dagster/root_run_id": first})
    team.slack.taken.clear()
    team.slack.taken.append(("channel", "the thread of the first"))
    team.deliver()
    assert team.slack.taken[1:] == [
        ("thread and channel", f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"),
        ("update", f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"),
    ]


@pytest.mark.parametrize("mark", [ANNOUNCES_ITSELF_TAG, SILENT_TAG])
def test_marks_of_a_vp_run_do_not_hold_for_its_re_execution(team: Team, mark: str) -> None:
    """`vp run` has failed, and a person executes it again in `vp dev`."""
    team.night(**marks("the run of vp run", mark))
    team.deliver()
    assert len(team.slack.taken) == 3


def test_the_ui_shows_none_of_our_tags(team: Team) -> None:
    team.night(RUN_OF_VP, **marks(RUN_OF_VP, ANNOUNCES_ITSELF_TAG))
    team.deliver(of_vp_run=True)
    (run,) = team.instance.get_runs()
    hidden = {tag for tag in run.tags if tag.startswith(HIDDEN_TAG_PREFIX)}
    assert hidden == {ANNOUNCES_ITSELF_TAG, THREAD_TAG, SENT_TAG}
    assert {tag.partition("/")[0] for tag in run.tags.keys() - hidden} == {"dagster"}


def test_a_run_that_announces_itself_is_not_reported_by_the_sensor(team: Team) -> None:
    team.night(RUN_OF_VP, **marks(RUN_OF_VP, ANNOUNCES_ITSELF_TAG))
    team.deliver()
    assert team.slack.taken == []
    team.deliver(of_vp_run=True)
    assert len(team.slack.taken) == 3


@pytest.mark.parametrize(
    ("is_of_vp_run", "marks_of_others"),
    [
        (False, [ANNOUNCES_ITSELF_TAG, SILENT_TAG]),  # vp backfill
        (True, [ANNOUNCES_ITSELF_TAG, SILENT_TAG]),
        (True, []),  # Runs of the daemon.
    ],
)
def test_a_failed_night_is_reported_however_many_runs_came_after_it(
    team: Team, monkeypatch: pytest.MonkeyPatch, is_of_vp_run: bool, marks_of_others: list[str]
) -> None:
    """Slack was unreachable that night, and then a month was loaded again."""
    monkeypatch.setattr(delivery, "RUNS_A_PAGE", 10)
    team.error = PermanentFailure("The bucket is gone.")
    team.night(RUN_OF_VP, **(marks(RUN_OF_VP, ANNOUNCES_ITSELF_TAG) if is_of_vp_run else {}))
    job = dg.job(name="vp_daily_batch")(lambda: None)
    for _ in range(31):
        run_id = str(uuid.uuid4())
        team.instance.create_run_for_job(
            job,
            run_id=run_id,
            tags=marks(run_id, *marks_of_others),
            status=dg.DagsterRunStatus.SUCCESS,
        )

    assert team.deliver(of_vp_run=is_of_vp_run) is None
    assert team.slack.taken[0] == ("channel", f"{RED} vp_daily_batch failed {OF_NIGHT}")


def test_old_runs_are_not_reported(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "NEWS_DAYS", 0)
    team.night()
    team.deliver()
    assert team.slack.taken == []


def test_the_sensor_skips_with_the_outcome_of_the_delivery(team: Team) -> None:
    def tick() -> str:
        with dg.build_sensor_context(
            instance=team.instance, resources={"slack": team.slack}
        ) as context:
            outcome = slack_is_told(context)
        assert isinstance(outcome, dg.SkipReason)
        return str(outcome.skip_message)

    team.night()
    team.slack.accepts = 0
    assert tick().endswith("the next delivery sends it: Slack did not answer.")
    team.slack.accepts = 99
    assert tick() == "Slack has every message that is due."
