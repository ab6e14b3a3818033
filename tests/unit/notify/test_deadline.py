"""A missed deadline is reported once, with what is late; a kept one is not reported."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest

from veracitypro_pipeline.lineage import MART, POWERBI_DATASET, model_key, raw_key
from veracitypro_pipeline.notify.sensors import judge
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.slack import SlackError
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.statement import Answer

DAY = date(2026, 1, 31)
BEFORE, AFTER = (datetime(2026, 2, 1, hour, tzinfo=UTC) for hour in (5, 6))


class Morning:
    """An instance, its warehouse, and a Slack that keeps the messages it accepts."""

    def __init__(self, instance: dg.DagsterInstance, path: Path) -> None:
        settings = Settings.load(warehouse_file=path)

        class FixedSettings(RunSettings):
            def _load(self) -> Settings:
                return settings

        self.instance = instance
        self.path = path
        self.settings = SimpleNamespace(get=lambda: settings)
        self.queries = 0

        class CountedWarehouse(WarehouseResource):
            def query(_self, *args: Any) -> Answer:  # noqa: N805 - the outer self counts
                self.queries += 1
                return super().query(*args)

        self.warehouse = CountedWarehouse(settings=FixedSettings())
        self.is_away = False
        self.accepted: list[tuple[str, str]] = []
        self.cursor: str | None = None

    def post(self, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        if self.is_away:
            raise SlackError("Slack rejected it: invalid_auth.")
        self.accepted.append((text, str(blocks)))

    def tick(self, now: datetime) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = judge(context, self, self.warehouse, now)  # type: ignore[arg-type]
        self.cursor = result.cursor or self.cursor
        return result

    def night(
        self, *, is_good: bool, is_whole: bool = True, tags: dict[str, str] | None = None
    ) -> None:
        """A run of RAW, the marts and Power BI, or of Power BI alone if it is not whole."""

        @dg.asset(key=POWERBI_DATASET, partitions_def=daily_as_of)
        def dataset() -> None:
            if not is_good:
                raise RuntimeError("Power BI is away.")

        marts = [model_key(MART, mart) for mart in MARTS]
        tables = [_a_table(key) for key in (raw_key(PRODUCT_RAW), *marts)]
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
        """Every mart with one row, of this newest day."""
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
    """After a first tick, before the deadline, which sets the cursor."""
    with dg.DagsterInstance.ephemeral() as instance:
        one = Morning(instance, tmp_path / "warehouse" / "dwh.duckdb")
        one.tick(BEFORE)
        yield one


def test_days_due_before_the_first_tick_are_not_reported(morning: Morning) -> None:
    morning.cursor = None
    morning.tick(AFTER)
    morning.tick(AFTER)
    assert morning.accepted == []


def test_a_night_without_a_run_is_reported_once_with_what_is_late(morning: Morning) -> None:
    morning.marts("2026-01-30")
    for _ in range(3):
        morning.tick(BEFORE)
    assert morning.accepted == []
    for _ in range(3):
        morning.tick(AFTER)
    ((text, blocks),) = morning.accepted
    assert text.endswith("vp_daily_batch for 2026-01-31 is not done at 06:00 UTC")
    assert "No run of it has started." in blocks
    assert "`fct_price_history_daily` ends 2026-01-30" in blocks
    assert "fct_offer_price_daily" not in blocks  # It is allowed to lag.
    assert "<!here>" in blocks


def test_a_check_that_no_run_reached_is_evaluated_at_the_deadline(morning: Morning) -> None:
    """It would still show "Execution failed", or that an earlier day was fresh."""
    morning.marts("2026-01-30")
    morning.night(is_good=False)
    (judged,) = [
        result for result in (morning.tick(AFTER), morning.tick(AFTER)) if result.asset_events
    ]
    assert len(judged.asset_events) == len(MARTS)
    for event in judged.asset_events:
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


def test_no_check_is_evaluated_while_a_run_is_in_progress(morning: Morning) -> None:
    morning.marts("2026-01-30")
    morning.instance.create_run_for_job(
        dg.job(name="vp_daily_batch")(lambda: None), tags={"dagster/partition": str(DAY)}
    )
    assert morning.tick(AFTER).asset_events == []
    assert len(morning.accepted) == 1


def test_a_night_that_is_done_is_not_reported(morning: Morning) -> None:
    morning.night(is_good=True)
    morning.tick(AFTER)
    assert morning.accepted == []
    assert morning.cursor == "2026-01-31"


def test_a_refresh_of_power_bi_alone_does_not_complete_the_day(morning: Morning) -> None:
    morning.night(is_good=True, is_whole=False)
    morning.tick(AFTER)
    ((_, blocks),) = morning.accepted
    assert "ended without all that the day needs" in blocks


@pytest.mark.parametrize("first", [DAY, DAY - timedelta(days=2)])
def test_a_backfill_from_the_ui_completes_its_days(morning: Morning, first: date) -> None:
    """Dagster gives its runs a range instead of a partition, even for one day."""
    tags = {
        "dagster/asset_partition_range_start": str(first),
        "dagster/asset_partition_range_end": str(DAY),
    }
    morning.night(is_good=False, tags=tags)
    morning.tick(AFTER)
    ((_, blocks),) = morning.accepted
    assert "has failed" in blocks
    morning.cursor = str(DAY - timedelta(days=1))
    morning.night(is_good=True, tags=tags)
    morning.tick(AFTER)
    assert len(morning.accepted) == 1


def test_a_failed_night_is_reported_without_a_second_mention(morning: Morning) -> None:
    morning.marts("2026-01-31")
    morning.night(is_good=False)
    morning.tick(AFTER)
    ((_, blocks),) = morning.accepted
    assert "has failed" in blocks
    assert "MART has the day already" in blocks
    assert "<!here>" not in blocks


def test_a_message_that_slack_did_not_accept_is_sent_by_the_next_tick(morning: Morning) -> None:
    morning.is_away = True
    assert "the message was not sent yet" in str(morning.tick(AFTER).skip_reason)
    morning.is_away = False
    morning.tick(AFTER)
    morning.tick(AFTER)
    assert len(morning.accepted) == 1
    assert "cannot be read now" in morning.accepted[0][1]  # There is no warehouse.


def test_a_slack_that_rejects_costs_one_query_and_no_further_evaluation(
    morning: Morning,
) -> None:
    morning.marts("2026-01-30")
    morning.is_away = True
    ticks = [morning.tick(AFTER) for _ in range(3)]
    assert [len(tick.asset_events) for tick in ticks] == [len(MARTS), 0, 0]
    assert morning.queries == 1

    morning.is_away = False
    morning.tick(AFTER)
    assert "`fct_price_history_daily` ends 2026-01-30" in morning.accepted[0][1]


def test_a_message_that_slack_did_not_accept_is_dropped_once_the_night_is_done(
    morning: Morning,
) -> None:
    morning.is_away = True
    morning.tick(AFTER)
    morning.is_away = False
    morning.night(is_good=True)
    for _ in range(2):
        morning.tick(AFTER)
    assert morning.accepted == []
    assert morning.cursor == "2026-01-31"
