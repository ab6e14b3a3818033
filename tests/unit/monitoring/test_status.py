"""The status after nights that succeeded, failed, or are in progress."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlglot

from tests.support.monitoring import Monitoring
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring import status
from veracitypro_pipeline.monitoring.status import Status, read_status
from veracitypro_pipeline.monitoring.tables import create_tables, record_statements
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    CheckResult,
    RunRecord,
    RunSummary,
    Stage,
    StepFailure,
)
from veracitypro_pipeline.statement import Statement

FIRST = date(2026, 1, 31)
GREEN, WARNS, RED = ("ERROR", True), ("WARN", False), ("ERROR", False)


class Nights(Monitoring):
    """Nights, written as the rows that their runs would leave."""

    def night(self, number: int, status: str = "success", **checks: tuple[str, bool]) -> None:
        started_at = datetime(2026, 2, 1, 0, 10, tzinfo=UTC) + timedelta(days=number)
        failures = [StepFailure(step="raw", reason="S3 is away.")] if status == "failure" else []
        record = RunRecord(
            summary=RunSummary(
                run_id=f"run-{number}",
                as_of_date=str(FIRST + timedelta(days=number)),
                status=status,
                seconds=60,
                stages=[Stage(name=name, rows_in=3, checks=CheckCounts()) for name in STAGES],
                checks=CheckCounts(passed=70),
                red_checks=[],
                failures=failures,
            ),
            job="vp_daily_batch",
            started_at=started_at,
            ended_at=None if status == "started" else started_at + timedelta(minutes=1),
            check_results=[
                CheckResult(
                    asset="raw/keepa_raw",
                    stage="raw",
                    name=name,
                    is_error=severity == "ERROR",
                    passed=passed,
                    rows_failing=None,
                    description=f"night {number}",
                )
                for name, (severity, passed) in checks.items()
            ],
        )
        self.warehouse.transact(
            [*create_tables(STAGES), *record_statements(record, datetime.now(UTC))]
        )

    def status(self) -> Status:
        found = read_status(self.warehouse.query)
        assert found is not None
        return found


@pytest.fixture
def nights(monitoring: Monitoring) -> Nights:
    return Nights(monitoring.instance, monitoring.path)


def test_before_the_first_run_there_is_no_status(nights: Nights) -> None:
    nights.warehouse.transact([Statement("create schema MART")])
    assert read_status(nights.warehouse.query) is None


def test_a_check_is_red_since_the_first_night_after_its_last_green_one(nights: Nights) -> None:
    nights.night(0, one=RED, other=GREEN)
    nights.night(1, one=GREEN, other=GREEN)
    nights.night(2, one=RED, other=WARNS)
    nights.night(3, one=RED, other=GREEN)

    (red,) = nights.status().red_checks

    assert (red.check, red.red_since, red.evaluations) == (
        "raw/keepa_raw: one",
        FIRST + timedelta(days=2),
        2,
    )
    assert red.description == "night 3"


def test_a_check_that_a_failed_run_did_not_reach_stays_red(nights: Nights) -> None:
    nights.night(0, warns=WARNS, stops=GREEN)
    nights.night(1, stops=RED)
    nights.night(2, "failure")

    found = nights.status()

    assert [(red.check, red.red_since) for red in found.red_checks] == [
        ("raw/keepa_raw: stops", FIRST + timedelta(days=1)),
        ("raw/keepa_raw: warns", FIRST),
    ]
    assert (found.runs[0].status, found.runs[0].failure) == ("failure", "S3 is away.")


def test_during_a_run_the_stages_are_those_of_the_run_before(nights: Nights) -> None:
    nights.night(0)
    nights.night(1, "started")

    found = nights.status()

    assert [run.status for run in found.runs] == ["started", "success"]
    assert found.runs[1].started_at == datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
    assert found.hops_of_run == "run-0"
    assert [hop.stage for hop in found.hops] == list(STAGES)
    assert found.hops[2].rows_in == 3


def test_a_file_that_arrived_after_the_first_run_of_its_day_is_late(nights: Nights) -> None:
    """There are none without a ledger, or without its column of arrivals."""
    nights.night(0)
    assert nights.status().late_files == []
    nights.warehouse.transact(
        [
            Statement(
                "create table MONITORING.LOAD_LEDGER as select 'late' as source_file,"
                " date '2026-01-31' as as_of_date, 7 as lines, timestamp '2026-02-02' as loaded_at"
            )
        ]
    )
    assert nights.status().late_files == []
    nights.warehouse.transact(
        [
            Statement("alter table MONITORING.LOAD_LEDGER add column arrived_at timestamp"),
            Statement("update MONITORING.LOAD_LEDGER set arrived_at = '2026-02-01 09:00:00'"),
            Statement(
                "insert into MONITORING.LOAD_LEDGER values"
                " ('in time', '2026-01-31', 7, '2026-02-01 00:10:50', '2026-02-01 00:10:40'),"
                " ('before arrivals were kept', '2026-01-31', 7, '2026-02-01 00:10:50', null)"
            ),
        ]
    )
    nights.night(1)

    (late,) = nights.status().late_files

    assert (late.source_file, late.as_of_date, late.lines) == ("late", FIRST, 7)
    assert late.arrived_at == datetime(2026, 2, 1, 9, tzinfo=UTC)


def test_a_mart_is_as_old_as_its_newest_day(nights: Nights) -> None:
    """What is no mart of ours, or has no day, is left out."""
    nights.night(4)
    nights.warehouse.transact(
        [
            Statement("create schema MART"),
            Statement("create table MART.DIM_DATE as select date '2026-02-02' as date"),
            Statement("create table MART.FCT_MONTHLY_SOLD (date date)"),
            Statement(
                "create table MART.DIM_PRODUCT as"
                " select timestamp '2026-02-05 00:10:00' as last_fetched_at"
            ),
            Statement("""create table MART."fct ""odd'" as select date '2026-02-04' as date"""),
        ]
    )
    assert {mart.mart: (mart.days_behind, mart.is_late) for mart in nights.status().marts} == {
        "dim_date": (2, True),
        "dim_product": (0, False),
        "fct_monthly_sold": (None, False),
    }


def test_a_day_that_is_due_and_not_run_makes_marts_late(nights: Nights) -> None:
    nights.night(0)
    nights.warehouse.transact(
        [
            Statement("create schema MART"),
            Statement("create table MART.DIM_DATE as select date '2026-01-31' as date"),
        ]
    )
    found = read_status(nights.warehouse.query, FIRST + timedelta(days=3))
    assert found is not None
    assert (found.as_of_date, found.marts[0].days_behind) == (FIRST + timedelta(days=3), 3)


def test_every_query_is_valid_on_snowflake_too() -> None:
    questions: dict[str, Any] = {
        name: text
        for name, text in vars(status).items()
        if isinstance(text, str) and text.lstrip().startswith(("select", "with"))
    }
    assert len(questions) == 6
    for sql in questions.values():
        assert sqlglot.parse_one(sql, dialect="snowflake").sql(dialect="snowflake")
