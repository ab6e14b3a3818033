"""What Slack hears of runs of a real Dagster instance: one thread a run, each thing once."""

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
from veracitypro_pipeline.lineage import MART, POWERBI_DATASET, RAW_KEEPA, model_key
from veracitypro_pipeline.notify import telling
from veracitypro_pipeline.notify.sensors import slack_is_told
from veracitypro_pipeline.notify.telling import (
    ANNOUNCES_ITSELF_TAG,
    SAID_TAG,
    SILENT_TAG,
    THREAD_TAG,
    marks,
    tell,
)
from veracitypro_pipeline.partitions import mark_as_refused
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.slack import Posted, SlackAway, SlackNotDelivered
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import Settings


class Slack:
    """Keeps what it takes; after `patience` messages it is away until somebody mends it."""

    def __init__(self, *, has_threads: bool = True, patience: int = 99) -> None:
        self.has_threads, self.patience = has_threads, patience
        self.refuses = ""
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
        if len(self.taken) >= self.patience:
            raise SlackAway("Slack did not answer.")
        if where == self.refuses:
            raise SlackNotDelivered("Slack refused the message: message_not_found.")
        self.taken.append((where, text.partition(" in ")[0]))
        self.blocks.append(blocks)


class Team:
    """An instance in which nights are run, and the Slack that hears of them."""

    def __init__(self, instance: dg.DagsterInstance, slack: Slack) -> None:
        self.instance, self.slack = instance, slack
        self.error: Exception | None = None
        self.refuses = False
        self.severity: dg.AssetCheckSeverity | None = None

    def defs(self) -> dg.Definitions:
        """An asset that fails with `error` and a check that is red with `severity`, if they are
        set."""

        @dg.asset(
            key=RAW_KEEPA,
            partitions_def=dg.DailyPartitionsDefinition("2025-11-15"),
            retry_policy=dg.RetryPolicy(max_retries=2),
        )
        def keepa_raw(context: dg.AssetExecutionContext) -> None:
            if self.refuses:
                mark_as_refused(context.instance, context.run.run_id)
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

    def hear(self, **options: Any) -> str | None:
        return tell(self.instance, self.slack, **options)  # type: ignore[arg-type]


@pytest.fixture
def team() -> Iterator[Team]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Team(instance, Slack())


RUN_OF_VP = "8767e52d-0000-4000-8000-000000000000"
GREEN, YELLOW, RED = ":large_green_circle:", ":large_yellow_circle:", ":red_circle:"
OF_NIGHT = "for 2026-01-31"


def test_a_night_is_a_thread_whose_headline_says_how_it_ended(team: Team) -> None:
    run = team.instance.create_run_for_job(
        dg.job(name="vp_daily_batch")(lambda: None), tags={"dagster/partition": "2026-01-31"}
    )
    began = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "vp_daily_batch")
    team.instance.report_dagster_event(began, run.run_id)
    assert team.hear() is None
    ended = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, "vp_daily_batch")
    team.instance.report_dagster_event(ended, run.run_id)
    assert team.hear() is None
    assert team.hear() is None

    assert team.slack.taken == [
        ("channel", f":arrow_forward: vp_daily_batch started {OF_NIGHT}"),
        ("thread", f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"),
        ("update", f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"),
    ]


def test_a_failure_is_loud_once_however_often_its_step_was_tried(team: Team) -> None:
    team.error = TransientFailure("S3 is away.")
    team.night()
    team.hear()
    team.hear()

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
    team.hear()

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
    team.hear()

    said = [text for where, text in team.slack.taken if where != "update"][2:]
    assert said == [
        *[f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"] * 2,
        *[f"{GREEN} vp_daily_batch succeeded {OF_NIGHT}"] * 2,
    ]
    assert [where for where, _ in team.slack.taken].count("thread and channel") == 2


def test_checks_that_are_executed_alone_raise_no_alarm(team: Team) -> None:
    """A person executes a check in the UI, and it is red: nothing has failed at night, and the
    night after it recovers from nothing."""
    team.night()
    team.severity = dg.AssetCheckSeverity.ERROR
    checks_alone(team.instance, team.defs(), dg.AssetCheckKey(RAW_KEEPA, "lines_are_json"))
    team.severity = None
    team.hear()
    team.night()
    team.hear()

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


def test_a_backfill_of_days_that_are_refused_is_not_told_run_by_run(team: Team) -> None:
    """ "All" partitions are hundreds of runs, and whoever started them sees what became of them."""
    team.refuses = True
    team.night(**{"dagster/backfill": "one"})
    team.hear()
    assert team.slack.taken == []
    team.night()  # That of a schedule is told.
    team.hear()
    assert team.slack.taken[0] == ("channel", f"{RED} vp_daily_batch failed {OF_NIGHT}")


def test_checks_that_cannot_judge_any_day_are_no_alarm(team: Team) -> None:
    checks_alone(team.instance, team.defs(), dg.AssetCheckKey(RAW_KEEPA, "lines_are_json"))
    team.hear()
    assert (
        team.slack.taken[0][1] == f"{YELLOW} Checks executed alone for no partition have no result"
    )
    assert "knows no materialization of raw/keepa_raw" in str(team.slack.blocks)
    assert "<!here>" not in str(team.slack.blocks)


@pytest.mark.parametrize(("is_whole", "verb"), [(False, "succeeded"), (True, "recovered")])
def test_selected_assets_recover_a_day_only_with_its_data(
    team: Team, is_whole: bool, verb: str
) -> None:
    """Power BI can be refreshed for a day of which nothing was ever loaded."""
    team.error = PermanentFailure("The bucket is gone.")
    team.night()
    team.hear()
    team.error = None
    marts = [model_key(MART, mart) for mart in MARTS]
    keys = [RAW_KEEPA, *marts, POWERBI_DATASET] if is_whole else [POWERBI_DATASET]
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
    team.hear()
    icon_and_text = f"{GREEN} a run of selected assets {verb} {OF_NIGHT}"
    assert team.slack.taken[-1] == ("update", icon_and_text)


@pytest.mark.parametrize("patience", range(5))
def test_what_slack_did_not_take_is_said_by_the_next_delivery_and_nothing_twice(
    team: Team, patience: int
) -> None:
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.slack.patience = patience
    untold = team.hear()
    assert (untold is None) is (patience >= 4)

    team.slack.patience = 99
    assert team.hear() is None
    assert [where for where, _ in team.slack.taken] == ["channel", "thread", "thread", "update"]


def test_a_message_that_slack_refuses_for_good_holds_up_no_other(team: Team) -> None:
    """The first night is loud, and its answer is refused; a deleted headline cannot be changed."""
    team.error = PermanentFailure("The bucket is gone.")
    team.night()
    team.slack.refuses = "thread and channel"
    assert "message_not_found" in str(team.hear())
    team.error = None
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.night()
    team.hear()
    assert [where for where, _ in team.slack.taken] == [
        *["channel", "channel"],
        *["channel", "thread", "thread", "update"],
    ]

    team.slack.refuses = "update"
    assert team.hear() is None
    assert team.hear() is None
    assert [where for where, _ in team.slack.taken][6:] == [
        *["thread and channel"],
        *["thread and channel", "thread"],
    ]


def test_a_webhook_says_all_at_once_and_only_at_the_end(team: Team) -> None:
    team.slack.has_threads = False
    team.severity = dg.AssetCheckSeverity.WARN
    team.night()
    team.hear()
    team.hear()

    assert team.slack.taken == [("channel", f"{YELLOW} vp_daily_batch succeeded {OF_NIGHT}")]
    assert "lines_are_json" in str(team.slack.blocks[0])


def test_a_run_that_the_daemon_repeats_is_told_by_its_last_try_in_one_thread(team: Team) -> None:
    team.error = TransientFailure("S3 is away.")
    first = team.night(**{"dagster/will_retry": "true"})
    team.hear()
    assert team.slack.taken == []
    team.night(**{"dagster/root_run_id": first})
    team.hear()

    assert [where for where, _ in team.slack.taken] == ["channel", "thread and channel", "update"]


def test_a_run_whose_process_was_told_to_end_calls_nobody(team: Team) -> None:
    """A container is stopped: Dagster calls that a failure. The deadline tells if it was needed."""
    team.error = Interrupted(INTERRUPTED)
    team.night()
    team.hear()
    assert [where for where, _ in team.slack.taken] == ["channel", "thread", "update"]
    assert "<!here>" not in str(team.slack.blocks)


def test_a_night_that_somebody_runs_again_in_the_ui_is_told_anew(team: Team) -> None:
    """Dagster gives the second run every tag of the first, also what was said of that one. It goes
    on in the thread of the first, and so does whoever reads there."""
    team.error = PermanentFailure("The bucket is gone.")
    first = team.night()
    team.hear()
    (failed,) = team.instance.get_runs()
    team.error = None
    team.night(**failed.tags, **{"dagster/root_run_id": first})
    team.slack.taken.clear()
    team.slack.taken.append(("channel", "the thread of the first"))
    team.hear()
    assert team.slack.taken[1:] == [
        ("thread and channel", f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"),
        ("update", f"{GREEN} vp_daily_batch recovered {OF_NIGHT}"),
    ]


@pytest.mark.parametrize("mark", [ANNOUNCES_ITSELF_TAG, SILENT_TAG])
def test_what_vp_run_says_of_its_run_is_not_true_of_a_repetition(team: Team, mark: str) -> None:
    """`vp run` has failed, and somebody goes on from its failure in `vp dev`."""
    team.night(**marks("the run of vp run", mark))
    team.hear()
    assert len(team.slack.taken) == 3


def test_people_are_shown_none_of_our_tags(team: Team) -> None:
    team.night(RUN_OF_VP, **marks(RUN_OF_VP, ANNOUNCES_ITSELF_TAG))
    team.hear(of_vp_run=True)
    (run,) = team.instance.get_runs()
    hidden = {tag for tag in run.tags if tag.startswith(HIDDEN_TAG_PREFIX)}
    assert hidden == {ANNOUNCES_ITSELF_TAG, THREAD_TAG, SAID_TAG}
    assert {tag.partition("/")[0] for tag in run.tags.keys() - hidden} == {"dagster"}


def test_who_announces_itself_is_left_to_itself(team: Team) -> None:
    team.night(RUN_OF_VP, **marks(RUN_OF_VP, ANNOUNCES_ITSELF_TAG))
    team.hear()
    assert team.slack.taken == []
    team.hear(of_vp_run=True)
    assert len(team.slack.taken) == 3


@pytest.mark.parametrize(
    ("is_of_vp_run", "marks_of_others"),
    [
        (False, [ANNOUNCES_ITSELF_TAG, SILENT_TAG]),  # vp backfill
        (True, [ANNOUNCES_ITSELF_TAG, SILENT_TAG]),
        (True, []),  # The daemon's.
    ],
)
def test_a_failed_night_is_told_however_many_runs_came_after_it(
    team: Team, monkeypatch: pytest.MonkeyPatch, is_of_vp_run: bool, marks_of_others: list[str]
) -> None:
    """Slack was away that night, and then somebody loaded a month again."""
    monkeypatch.setattr(telling, "RUNS_A_PAGE", 10)
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

    assert team.hear(of_vp_run=is_of_vp_run) is None
    assert team.slack.taken[0] == ("channel", f"{RED} vp_daily_batch failed {OF_NIGHT}")


def test_old_runs_are_no_news(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "NEWS_DAYS", 0)
    team.night()
    team.hear()
    assert team.slack.taken == []


def test_the_sensor_says_how_the_telling_went(team: Team) -> None:
    def tick() -> str:
        with dg.build_sensor_context(
            instance=team.instance, resources={"slack": team.slack}
        ) as context:
            outcome = slack_is_told(context)
        assert isinstance(outcome, dg.SkipReason)
        return str(outcome.skip_message)

    team.night()
    team.slack.patience = 0
    assert tick().endswith("the next delivery says it: Slack did not answer.")
    team.slack.patience = 99
    assert tick() == "Slack knows of every recent run."
