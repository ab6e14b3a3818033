"""The pages as Streamlit builds them, without a browser, for small and for red nights.

The warehouse has what such runs record. The journeys test the pages on real nights.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from veracitypro_pipeline.cli.dashboard import SCRIPT
from veracitypro_pipeline.dashboard import reading
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring.tables import create_tables, record_statements
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
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
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"


class Site:
    """A home whose warehouse has the recorded nights, and its pages."""

    def __init__(self, home: Path) -> None:
        self.file = home / "warehouse" / "vp_dwh.duckdb"
        self.warehouse = DuckDBWarehouse(self.file)

    def run(self, *statements: Statement) -> None:
        with self.warehouse.transaction() as transaction:
            for statement in statements:
                transaction.run(statement)

    def night(
        self,
        number: int = 0,
        status: str = "success",
        stages: list[Stage] | None = None,
        failures: list[StepFailure] | None = None,
        red: list[CheckResult] | None = None,
        passed: int = 70,
    ) -> None:
        started_at = datetime(2026, 2, 1, 0, 10, tzinfo=UTC) + timedelta(days=number)
        record = RunRecord(
            summary=RunSummary(
                run_id=f"run-{number}",
                as_of_date=str(FIRST + timedelta(days=number)),
                status=status,
                seconds=60,
                stages=stages or [a_stage(name) for name in STAGES],
                checks=CheckCounts(passed=passed, failed=len(red or [])),
                red_checks=[],
                failures=failures or [],
            ),
            job="vp_daily_batch",
            started_at=started_at,
            ended_at=started_at + timedelta(minutes=1),
            tokens_spent=96,
            check_results=red or [],
        )
        self.run(*create_tables(STAGES), *record_statements(record, datetime.now(UTC)))

    def page(self) -> AppTest:
        reading.clear_cache()
        page = AppTest.from_file(str(SCRIPT), default_timeout=30).run()
        assert not page.exception
        return page


def a_stage(name: str, rows_in: int | None = 3, seconds: float | None = 2.0) -> Stage:
    return Stage(
        name=name, rows_in=rows_in, rows_out=rows_in, seconds=seconds, checks=CheckCounts()
    )


def a_red_check(description: str) -> CheckResult:
    return CheckResult(
        asset="raw/keepa_raw",
        stage="raw",
        name="lines_are_json",
        is_error=True,
        passed=False,
        rows_failing=12,
        description=description,
    )


def text_of(page: AppTest) -> str:
    """All text of the page."""
    kinds = (page.title, page.subheader, page.caption, page.text, page.markdown)
    boxes = (page.info, page.success, page.warning, page.error)
    return "\n".join(str(element.value) for found in (*kinds, *boxes) for element in found)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("VP_HOME", str(tmp_path))
    return Site(tmp_path)


@pytest.fixture
def held(site: Site) -> Iterator[Site]:
    """The site while another process, as a run would, has opened the file for writing."""
    site.night()
    with Popen([sys.executable, "-c", HOLD, str(site.file)], stdin=PIPE, stdout=PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        yield site
        writer.communicate(b"\n")


def test_before_the_first_run_the_page_shows_what_to_do(site: Site) -> None:
    assert "There is no warehouse yet: `vp run` makes one" in text_of(site.page())


def test_a_warehouse_without_a_run_is_explained(site: Site) -> None:
    site.run(*create_tables(STAGES))
    assert "No run is recorded yet: `vp run` makes one" in text_of(site.page())


def test_a_good_night_is_shown_in_figures(site: Site) -> None:
    site.night()
    page = site.page()
    words = text_of(page)
    assert "All is well: 2026-01-31 is built and checked." in words
    assert "nothing is lost." in words
    assert {metric.label: metric.value for metric in page.metric} == {
        "Seconds": "60.0",
        "Records from Keepa": "none",
        "Refused": "0",
        "Checks passed": "70 of 70",
        "Keepa tokens": "96",
    }
    # There are no tables but those of runs.
    assert "No mart has been built yet." in words
    assert "The quarantine is not built yet" in words


def test_the_newest_run_is_chosen_and_an_older_one_can_be(site: Site) -> None:
    site.night(0, stages=[a_stage(name, rows_in=7) for name in STAGES])
    site.night(1)
    page = site.page()
    chosen = page.selectbox[0]
    assert chosen.options == [
        "2026-02-01, started 2026-02-02 00:10: success",
        "2026-01-31, started 2026-02-01 00:10: success",
    ]
    assert list(page.dataframe[0].value["Rows in"]) == [3] * 7
    chosen.select_index(1).run()
    assert list(page.dataframe[0].value["Rows in"]) == [7] * 7


def test_charts_name_runs_by_their_as_of_day(site: Site) -> None:
    """Nights of `vp run --days` start in the same hour. The start is part of the name, so that a
    day run again has its own bar, but the axis does not show it."""
    site.night(0)
    site.night(1)
    tokens = site.page().get("vega_lite_chart")[-1].proto
    assert pa.ipc.open_stream(tokens.data.data).read_all()["run"].to_pylist() == [
        "31 Jan, started 01 Feb 00:10:00",
        "01 Feb, started 02 Feb 00:10:00",
    ]
    axis = json.loads(tokens.spec)["encoding"]["x"]
    assert axis["title"] == "As-of day of the run"
    assert axis["axis"]["labelExpr"] == "split(datum.label, ', started ')[0]"


def test_lost_rows_are_shown_between_their_stages(site: Site) -> None:
    site.night(stages=[a_stage(name, 3 if name in ("ingest", "landing") else 2) for name in STAGES])
    assert "Unexplained rows: +1 between landing and raw." in text_of(site.page())


def test_a_failed_run_is_shown_with_its_step_reason_and_reach(site: Site) -> None:
    site.night(
        status="failure",
        stages=[a_stage("ingest"), *(a_stage(name, None, None) for name in STAGES[1:])],
        failures=[StepFailure(step="landing", reason="S3 is *away* in $us-east-2$.")],
    )
    page = site.page()
    (error,) = page.error
    # Escaped: Markdown would render bold text and a formula.
    assert error.value == (r"The newest run ended at landing: S3 is \*away\* in \$us\-east\-2\$\.")
    assert "The run did not reach landing, raw, stg, core, mart, bi." in text_of(page)


def test_a_stopped_run_is_a_warning(site: Site) -> None:
    site.night(status="canceled", failures=[StepFailure(step="dbt_models", reason="Stopped.")])
    page = site.page()
    assert "was stopped; run the day again" in page.warning[0].value
    assert not page.error


def test_a_run_that_failed_in_a_stage_has_no_lost_rows_and_not_all_checks(
    site: Site,
) -> None:
    """dbt failed in CORE, so the check that counts the rows of STG did not run."""
    site.night(0, passed=204)
    done = [a_stage(name) for name in STAGES[:3]]
    begun = [a_stage(name, None, 2.0) for name in ("stg", "core")]
    site.night(
        1,
        status="failure",
        stages=[*done, *begun, a_stage("mart", None, None), a_stage("bi", None, None)],
        passed=89,
    )
    page = site.page()
    words = text_of(page)
    assert "Unexplained rows" not in words
    assert "nothing is lost." not in words
    assert "The run ended before the rows of stg, core were counted." in words
    assert "The run did not reach mart, bi." in words
    (checks,) = [metric for metric in page.metric if metric.label == "Checks passed"]
    assert (checks.value, checks.delta) == ("89 of 89", "a good run has 204")


def test_a_red_check_is_shown_with_its_description_and_history(site: Site) -> None:
    site.night(0)
    site.night(1, red=[a_red_check("12 of 24 lines are no JSON.")])
    site.night(2, red=[a_red_check("13 of 24 lines are no JSON.")])
    page = site.page()
    assert "Of the newest checks, 1 failed: see below." in text_of(page)
    assert "13 of 24 lines are no JSON." in [text.value for text in page.text]
    (checks,) = [table.value for table in page.dataframe if "Since" in table.value]
    assert list(checks["Check"]) == ["lines_are_json"]
    assert list(checks["Outcome"]) == ["failed"]
    assert [str(day)[:10] for day in checks["Since"]] == ["2026-02-01"]
    (past,) = [table.value for table in page.dataframe if "Description" in table.value]
    assert list(past["Description"]) == [
        "13 of 24 lines are no JSON.",
        "12 of 24 lines are no JSON.",
    ]


def test_refused_rows_are_shown_by_reason(site: Site) -> None:
    site.night()
    site.run(
        Statement("create schema STG"),
        Statement(
            "create table STG.STG_KEEPA_QUARANTINE as select 'a.gz' as source_file,"
            " line as file_row_number, date '2026-01-31' as as_of_date,"
            " if(line = 3, 'odd length', 'no JSON') as reason, 'record' as scope,"
            " null::varchar as series, null::bigint as position, '{broken' as raw_text"
            " from (values (1), (2), (3)) as lines (line)"
        ),
    )
    page = site.page()
    (reasons,) = [table.value for table in page.dataframe if "Reason" in table.value]
    assert dict(zip(reasons["Reason"], reasons["Refused"], strict=True)) == {
        "no JSON": 2,
        "odd length": 1,
    }
    (refused,) = [table.value for table in page.dataframe if "Refused text" in table.value]
    assert list(refused["Refused text"]) == ["{broken"] * 2
    assert list(refused["Line"]) == [1, 2]


def the_product_page() -> None:
    from veracitypro_pipeline.dashboard import product_page, reading

    with reading.one_session():
        product_page.show()


HOSTILE = "![x](http://127.0.0.1:1/x.png) <b>www.example.com</b>"


def test_brands_and_sellers_are_shown_as_text(site: Site) -> None:
    """The competitor has no price, so its name is part of a sentence, as is the seller's."""
    day = "date '2026-01-31' as date"
    keyed = "1 as domain_id, 'B0VPOURS01' as asin"
    site.run(
        Statement("create schema MART"),
        Statement(
            "create table MART.DIM_PRODUCT as select 1 as domain_id, asin, 'A paddle' as title,"
            " brand, 'com' as marketplace_code, 'USD' as currency_code, role,"
            " 'VP-X' as product_line, timestamp '2026-02-01' as last_fetched_at"
            " from (values ('B0VPOURS01', 'Ours', 'own'), ('B0VPRIVAL1', $brand, 'competitor'))"
            " as products (asin, brand, role)",
            {"brand": HOSTILE},
        ),
        Statement(
            f"create table MART.FCT_PRICE_HISTORY_DAILY as select {keyed}, {day},"
            " 'AMAZON' as price_channel, 99.0 as price_close, 99.0 as landed_close"
        ),
        Statement(
            f"create table MART.FCT_RANK_HISTORY_DAILY as select {keyed}, {day}, 7 rank_close"
        ),
        Statement(
            f"create table MART.FCT_REVIEW_HISTORY_DAILY as select {keyed}, {day},"
            " 4.5 as rating_close, 12 as review_count_close"
        ),
        Statement(
            f"create table MART.FCT_BUYBOX_HISTORY_DAILY as select {keyed}, {day},"
            " $seller as seller_id, 100.0 as share_pct",
            {"seller": HOSTILE},
        ),
        Statement(
            "create table MART.DIM_SELLER as select 1 as domain_id, '' as seller_id,"
            " true as is_amazon"
        ),
    )
    reading.clear_cache()
    page = AppTest.from_function(the_product_page, default_timeout=30).run()
    assert not page.exception
    words = text_of(page)
    (of_brand, *_) = [line for line in words.splitlines() if "Without a value" in line]
    (of_seller,) = [line for line in words.splitlines() if "held it for" in line]
    for line in (of_brand, of_seller):
        assert "png" in line
        assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(|(?<!\\)<b>|http:/|www\.", line)


def test_a_warehouse_in_use_is_one_sentence(held: Site) -> None:
    page = held.page()
    assert re.search(r"has been in use by .+PID \d+", text_of(page))
    assert [button.label for button in page.button] == ["Try again"]


def test_a_wrong_setting_is_one_sentence(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VP_HOMME", "x")
    (error,) = site.page().error
    assert r"VP\_HOMME" in error.value
