"""A deadline that is missed is said once, with what is late; one that is kept is not."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest

from veracitypro_pipeline.lineage import MART, POWERBI_DATASET, RAW_KEEPA, model_key
from veracitypro_pipeline.notify.sensors import judge
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.slack import SlackNotDelivered
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Answer

DAY = date(2026, 1, 31)
BEFORE, AFTER = (datetime(2026, 2, 1, hour, tzinfo=UTC) for hour in (5, 6))


class Morning:
    """An instance, its warehouse and the Slack that hears of a deadline."""

    def __init__(self, instance: dg.DagsterInstance, path: Path) -> None:
        settings = Settings.load(warehouse_file=path)

        class FixedSettings(RunSettings):
            def _load(self) -> Settings:
                return settings

        self.instance = instance
        self.path = path
        self.settings = SimpleNamespace(get=lambda: settings)
        self.questions = 0

        class CountedWarehouse(WarehouseResource):
            def query(_self, *args: Any) -> Answer:  # noqa: N805 - the outer self counts
                self.questions += 1
                return super().query(*args)

        self.warehouse = CountedWarehouse(settings=FixedSettings())
        self.is_away = False
        self.heard: list[tuple[str, str]] = []
        self.cursor: str | None = None

    def post(self, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        if self.is_away:
            raise SlackNotDelivered("Slack refused it: invalid_auth.")
        self.heard.append((text, str(blocks)))

    def tick(self, now: datetime) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = judge(context, self, self.warehouse, now)  # type: ignore[arg-type]
        self.cursor = result.cursor or self.cursor
        return result

    def night(
        self, *, is_good: bool, is_whole: bool = True, tags: dict[str, str] | None = None
    ) -> None:
        """RAW, the marts and Power BI; the last one alone if it is not whole."""

        @dg.asset(key=POWERBI_DATASET, partitions_def=daily_as_of)
        def dataset() -> None:
            if not is_good:
                raise RuntimeError("Power BI is away.")

        marts = [model_key(MART, mart) for mart in MARTS]
        tables = [_a_table(key) for key in (RAW_KEEPA, *marts)]
        job = dg.Definitions(
            assets=[dataset, *(tables if is_whole else [])]
        ).resolve_implicit_global_asset_job_def()
        job.execute_in_process(
            instance=self.instance,
            partition_key=None if tags else str(DAY),
            tags=tags,
            raise_on_error=False,
        )

    def marts(self, newest: str) -> None:
        """All of them, with one row that speaks of a day."""
        self.path.parent.mkdir(parents=True)
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("create schema MART")
            for mart in MARTS:
                connection.execute(
                    f"create table MART.{mart} as select date '{newest}' as date,"
                    f" timestamp '{newest} 00:10:00' + interval '1 day' as last_fetched_at"
                )


def _a_table(asset_key: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(key=asset_key, partitions_def=daily_as_of)
    def table() -> None: ...

    return table


@pytest.fixture
def morning(tmp_path: Path) -> Iterator[Morning]:
    """After a first tick on the day before, so that the sensor knows what is old."""
    with dg.DagsterInstance.ephemeral() as instance:
        one = Morning(instance, tmp_path / "warehouse" / "dwh.duckdb")
        one.tick(BEFORE)
        yield one


def test_what_was_due_before_the_sensor_was_on_is_no_news(morning: Morning) -> None:
    morning.cursor = None
    morning.tick(AFTER)
    morning.tick(AFTER)
    assert morning.heard == []


def test_a_night_that_nobody_began_is_said_once_with_what_is_late(morning: Morning) -> None:
    morning.marts("2026-01-30")
    for _ in range(3):
        morning.tick(BEFORE)
    assert morning.heard == []
    for _ in range(3):
        morning.tick(AFTER)
    ((text, blocks),) = morning.heard
    assert text.endswith("vp_daily_batch for 2026-01-31 is not done at 06:00 UTC")
    assert "No run of it has begun." in blocks
    assert "`fct_price_history_daily` ends 2026-01-30" in blocks
    assert "fct_offer_price_daily" not in blocks  # It is allowed to lag.
    assert "<!here>" in blocks


def test_a_check_that_no_run_came_to_is_evaluated_at_the_deadline(morning: Morning) -> None:
    """It would go on saying "Execution failed", or that an earlier day was fresh."""
    morning.marts("2026-01-30")
    morning.night(is_good=False)
    (told,) = [
        result for result in (morning.tick(AFTER), morning.tick(AFTER)) if result.asset_events
    ]
    assert len(told.asset_events) == len(MARTS)
    for event in told.asset_events:
        morning.instance.report_runless_asset_event(event)
    check = dg.AssetCheckKey(dg.AssetKey(["mart", "fct_price_history_daily"]), "data_is_fresh")
    record = morning.instance.event_log_storage.get_latest_asset_check_execution_by_key([check])[
        check
    ]
    assert record is not None
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert evaluation.partition == "2026-01-31"
    assert evaluation.description == (
        "Its newest day is 2026-01-30, 1 days behind 2026-01-31; 0 are allowed."
    )


def test_a_run_at_work_evaluates_its_checks_itself(morning: Morning) -> None:
    morning.marts("2026-01-30")
    morning.instance.create_run_for_job(
        dg.job(name="vp_daily_batch")(lambda: None), tags={"dagster/partition": str(DAY)}
    )
    assert morning.tick(AFTER).asset_events == []
    assert len(morning.heard) == 1


def test_a_night_that_is_done_is_not_news(morning: Morning) -> None:
    morning.night(is_good=True)
    morning.tick(AFTER)
    assert morning.heard == []
    assert morning.cursor == "2026-01-31"


def test_a_refresh_of_power_bi_alone_does_not_make_the_day(morning: Morning) -> None:
    morning.night(is_good=True, is_whole=False)
    morning.tick(AFTER)
    ((_, blocks),) = morning.heard
    assert "has ended without all that makes the day" in blocks


@pytest.mark.parametrize("first", [DAY, DAY - timedelta(days=2)])
def test_a_backfill_from_the_ui_makes_its_days(morning: Morning, first: date) -> None:
    """Dagster gives its runs a range in place of a partition, also where that is one day."""
    tags = {
        "dagster/asset_partition_range_start": str(first),
        "dagster/asset_partition_range_end": str(DAY),
    }
    morning.night(is_good=False, tags=tags)
    morning.tick(AFTER)
    ((_, blocks),) = morning.heard
    assert "has failed" in blocks
    morning.cursor = str(DAY - timedelta(days=1))
    morning.night(is_good=True, tags=tags)
    morning.tick(AFTER)
    assert len(morning.heard) == 1


def test_a_failed_night_is_said_without_calling_somebody_again(morning: Morning) -> None:
    morning.marts("2026-01-31")
    morning.night(is_good=False)
    morning.tick(AFTER)
    ((_, blocks),) = morning.heard
    assert "has failed" in blocks
    assert "MART speaks of the day already" in blocks
    assert "<!here>" not in blocks


def test_what_slack_did_not_take_is_said_by_the_next_tick(morning: Morning) -> None:
    morning.is_away = True
    assert "Slack was not told yet" in str(morning.tick(AFTER).skip_reason)
    morning.is_away = False
    morning.tick(AFTER)
    morning.tick(AFTER)
    assert len(morning.heard) == 1
    assert "cannot be told now" in morning.heard[0][1]  # There is no warehouse.


def test_a_slack_that_refuses_costs_one_look_at_the_warehouse_and_no_evaluation(
    morning: Morning,
) -> None:
    morning.marts("2026-01-30")
    morning.is_away = True
    ticks = [morning.tick(AFTER) for _ in range(3)]
    assert [len(tick.asset_events) for tick in ticks] == [len(MARTS), 0, 0]
    assert morning.questions == 1

    morning.is_away = False
    morning.tick(AFTER)
    assert "`fct_price_history_daily` ends 2026-01-30" in morning.heard[0][1]


def test_what_slack_did_not_take_is_no_news_once_the_night_is_done(morning: Morning) -> None:
    morning.is_away = True
    morning.tick(AFTER)
    morning.is_away = False
    morning.night(is_good=True)
    for _ in range(2):
        morning.tick(AFTER)
    assert morning.heard == []
    assert morning.cursor == "2026-01-31"
