"""`vp dev` in a browser: the lineage graph, and the runs that people start there.

The tests share one home and run in order. The last one compares the end of each run with
MONITORING, Slack and `vp status`."""

import contextlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

import duckdb
import httpx
import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.support.browser import CHROMIUM, PATIENCE_MS, a_browser
from tests.support.dagster_dev import DagsterDev, vp_dev
from tests.support.home import RUN_SECONDS, Home
from veracitypro_pipeline.lineage import CODE_LOCATION, JOB_NAME, SCHEDULE_NAME, STAGES
from veracitypro_pipeline.local.stack.run_settings import started_stack
from veracitypro_pipeline.partitions import newest_as_of_date
from veracitypro_pipeline.runs.summary import CHECKS_ALONE
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

pytestmark = pytest.mark.xdist_group("ui")

Found = TypeVar("Found")

# Dagster's name for the job of a run that selects its assets.
ASSET_JOB: Final = "__ASSET_JOB"
GRAPH = REPOSITORY_DIR / "tests" / "definitions" / "graph.json"
RUNS = """
{runsOrError {... on Runs {results {
    status
    stats {... on RunStatsSnapshot {materializations stepsFailed}}
}}}}
"""


# The sensors of MONITORING and Slack run every 30 s.
SOON: Final = 120.0
LATEST: Final = newest_as_of_date(datetime.now(UTC))
FAILED_NIGHT: Final = LATEST - timedelta(days=1)
NEWEST_RUN: Final = "{runsOrError(limit: 1) {... on Runs {results {runId}}}}"
# One row of `vp status`: day, start and status.
STATUS_ROW: Final = re.compile(r"│ (\d{4}-\d\d-\d\d) │ [^│]+ │ ([a-z][^│]*?) +│")


class Ending(NamedTuple):
    """The end of a run as MONITORING and Slack report it."""

    job: str
    day: date
    status: str
    slack: str


@pytest.fixture(scope="module")
def endings() -> dict[str, Ending]:
    """By run id; each journey adds its runs."""
    return {}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a night of `vp run` that failed in its last step, because Power BI was down."""
    home = Home(tmp_path_factory.mktemp("ui") / "home")
    set_refresh_outcome(home, "Failed")
    outcome = home.vp("run", "--date", str(FAILED_NIGHT))
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    set_refresh_outcome(home, "Completed")
    return home


def set_refresh_outcome(home: Home, outcome: str) -> None:
    stack = started_stack(Settings.load(home=home.path))
    httpx.put(
        f"{stack.control_url}/powerbi",
        headers={"Authorization": f"Bearer {stack.control_token}"},
        json={"outcome": outcome},
        trust_env=False,
    ).raise_for_status()


@pytest.fixture(scope="module")
def dagster(home: Home) -> Iterator[DagsterDev]:
    with vp_dev(home.path) as running:
        yield running


def newest_run(dagster: DagsterDev) -> str:
    (run,) = dagster.ask(NEWEST_RUN)["runsOrError"]["results"]
    return str(run["runId"])


def eventually(look: Callable[[], Found | None]) -> Found:
    """The first result that is not None."""
    deadline = time.monotonic() + SOON
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{look.__qualname__} found nothing for {SOON} s."
        time.sleep(0.5)
    return found


def recorded(home: Home, run_ids: Collection[str]) -> dict[str, tuple[str, date, str]]:
    """Job, day and status of runs in MONITORING, once all of them have ended there."""

    def ended() -> dict[str, tuple[str, date, str]] | None:
        # A writing process locks the DuckDB file.
        with contextlib.suppress(duckdb.IOException):
            rows = home.query(
                "select run_id, job, as_of_date, status from MONITORING.PIPELINE_RUN_MONITORING"
                " where status <> 'started'"
            )
            found = {run_id: (job, day, status) for run_id, job, day, status in rows}
            return found if found.keys() >= set(run_ids) else None
        return None

    return eventually(ended)


def slack_answer(home: Home, run_id: str) -> str:
    """The reply in the thread of a run, which says how it ended."""

    def reply() -> str | None:
        replies = (one for one in home.slack() if "thread_ts" in one)
        return next((one["text"] for one in replies if run_id in json.dumps(one)), None)

    return eventually(reply)


@pytest.fixture(scope="module")
def address(dagster: DagsterDev) -> str:
    return dagster.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on the PATH to look at the page with.")
    with a_browser() as browser:
        yield browser


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1800, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}/asset-groups", wait_until="domcontentloaded")
    # Dagster asks each new instance once whether it may write e-mails.
    skip = page.get_by_role("button", name="Skip")
    expect(page.get_by_text("Global asset lineage")).to_be_visible()
    page.wait_for_load_state("networkidle")
    if skip.count():
        skip.click()
    yield page
    page.close()


def test_the_lineage_graph_shows_all_seven_groups_connected(page: Page) -> None:
    """In the order of the stages, judged by the ends of the drawn edges."""
    groups = page.locator("foreignObject.group")
    expect(groups).to_have_count(len(STAGES))
    boxes = {
        str(group.text_content()): {
            name: float(str(group.get_attribute(name))) for name in ("x", "y", "width", "height")
        }
        for group in groups.all()
    }
    assert sorted(boxes) == sorted(STAGES)
    edges = [
        tuple(float(number) for number in re.findall(r"[\d.]+", str(path.get_attribute("d"))))
        for path in page.locator("svg path[marker-end]").all()
    ]
    for left, right in pairwise(STAGES):
        assert any(
            _touches(boxes[left], *edge[:2]) and _touches(boxes[right], *edge[-2:])
            for edge in edges
        ), f"no edge from {left} to {right}"


def _around(groups: Locator) -> FloatRect:
    """The box on the page around all of them, with a margin."""
    margin = 24.0
    found = [box for group in groups.all() if (box := group.bounding_box())]
    left = min(box["x"] for box in found) - margin
    top = min(box["y"] for box in found) - margin
    right = max(box["x"] + box["width"] for box in found) + margin
    bottom = max(box["y"] + box["height"] for box in found) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def _touches(box: dict[str, float], x: float, y: float) -> bool:
    """Whether an edge touches a box: its line begins inside, its head ends just before the box."""
    near = 10.0
    return (
        box["x"] - near <= x <= box["x"] + box["width"] + near
        and box["y"] <= y <= box["y"] + box["height"]
    )


def test_vp_dev_names_its_address_and_has_the_output_of_vp_run(
    home: Home, dagster: DagsterDev
) -> None:
    assert f"Dagster is starting at {dagster.address}" in dagster.log.read_text()
    logs = (home.path / "dagster" / "storage").glob("*/compute_logs/*.out")
    assert any("keepa_marketplaces" in log.read_text() for log in logs)


def test_a_failed_night_of_vp_run_is_under_its_job_and_is_reexecuted_from_its_failure(
    page: Page, dagster: DagsterDev, endings: dict[str, Ending]
) -> None:
    failed = newest_run(dagster)
    page.goto(f"{dagster.address}/locations/{CODE_LOCATION}/jobs/{JOB_NAME}/runs")
    expect(page.get_by_text(failed[:8]).first).to_be_visible()
    page.goto(f"{dagster.address}/runs/{failed}")
    expect(page.get_by_text("Failure").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Re-execute"))).to_be_enabled()
    again = dagster.reexecute(failed)
    assert dagster.end_of(again, RUN_SECONDS) == "SUCCESS"
    run = dagster.ask(RUNS)["runsOrError"]["results"][0]
    assert run["stats"]["materializations"] == 1  # Only Power BI had failed.
    said = f"{JOB_NAME} failed for {FAILED_NIGHT}"
    endings[failed] = Ending(JOB_NAME, FAILED_NIGHT, "failure", said)
    said = f"{JOB_NAME} recovered for {FAILED_NIGHT}"
    endings[again] = Ending(JOB_NAME, FAILED_NIGHT, "success", said)


def test_materialize_all_of_a_partition_succeeds(
    page: Page, dagster: DagsterDev, endings: dict[str, Ending]
) -> None:
    before = newest_run(dagster)
    page.get_by_role("button", name=re.compile("Materialize all")).click()
    page.get_by_role("button", name="Latest").click()
    with page.expect_response(lambda answer: "launchPipelineExecution" in answer.text()):
        page.get_by_role("button", name=re.compile("^Launch")).last.click()

    page.goto(f"{dagster.address}/runs")
    run_id = newest_run(dagster)
    assert run_id != before
    assert dagster.end_of(run_id, RUN_SECONDS) == "SUCCESS"
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("^partition: ")).first).to_be_visible()
    run = dagster.ask(RUNS)["runsOrError"]["results"][0]
    assert run["status"] == "SUCCESS"
    assert run["stats"]["stepsFailed"] == 0
    assert run["stats"]["materializations"] == len(json.loads(GRAPH.read_text())["assets"])
    said = f"a run of selected assets succeeded for {LATEST}"
    endings[run_id] = Ending(ASSET_JOB, LATEST, "success", said)


def test_the_lineage_graph_shows_assets_with_their_checks(
    page: Page, keep_picture: Callable[[bytes, str], None]
) -> None:
    """After the run above. Groups with one asset show it, between groups with many."""
    page.set_viewport_size({"width": 3300, "height": 1000})
    groups = page.locator("foreignObject.group")
    for stage, name in (
        ("ingest", "product_raw"),
        ("landing", "product_raw"),
        ("raw", "keepa_raw"),
        ("bi", "veracitypro"),
    ):
        groups.filter(has_text=re.compile(f"^{stage}")).click()
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
        # Expanded groups stay expanded; a reloaded page shows the whole graph.
        page.reload()
        expect(groups).to_have_count(len(STAGES))
    expect(page.get_by_text("2 / 2 Passed").first).to_be_visible()
    expect(page.get_by_text("fetching statuses")).to_have_count(0)
    keep_picture(page.screenshot(clip=_around(groups)), "lineage")


def test_a_mart_shows_its_rows_its_columns_and_what_its_checks_mean(
    page: Page, address: str, keep_picture: Callable[[bytes, str], None]
) -> None:
    """After the run above."""
    mart = f"{address}/assets/mart/fct_price_history_daily"
    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(mart)
    for heading in ("Row count", "Latest check results", "Columns"):
        expect(page.get_by_text(heading, exact=True).first).to_be_visible()
    expect(page.get_by_text("core/core_keepa_price_daily.asin")).to_be_visible()
    keep_picture(page.screenshot(), "asset")

    page.goto(f"{mart}?view=checks&checkDetail=data_is_fresh")
    expect(page.get_by_text("The newest day in the rows is the as-of day")).to_be_visible()
    expect(page.get_by_text("infra/runbooks/data_is_fresh.md")).to_be_visible()
    keep_picture(page.screenshot(), "checks")


def test_execute_all_on_a_mart_judges_the_newest_day_and_materializes_nothing(
    page: Page, dagster: DagsterDev, endings: dict[str, Ending]
) -> None:
    """After the run above."""
    before = newest_run(dagster)

    def started() -> str | None:
        newest = newest_run(dagster)
        return None if newest == before else newest

    page.goto(f"{dagster.address}/assets/mart/fct_price_history_daily?view=checks")
    page.get_by_role("button", name="Execute all").click()
    run_id = eventually(started)
    assert dagster.end_of(run_id, RUN_SECONDS) == "SUCCESS"
    run = dagster.ask(RUNS)["runsOrError"]["results"][0]
    assert run["stats"]["materializations"] == 0
    said = f"Checks executed alone for {LATEST}: 9 passed"
    endings[run_id] = Ending(CHECKS_ALONE, LATEST, "success", said)


def test_a_backfill_runs_once_for_each_of_its_three_days(
    dagster: DagsterDev, endings: dict[str, Ending]
) -> None:
    """Of one small table, because each day is a run."""
    days = [LATEST - timedelta(days=back) for back in (2, 1, 0)]
    backfill = dagster.backfill(["stg", "keepa_marketplaces"], [str(day) for day in days])
    runs = dagster.runs_of(backfill, len(days), RUN_SECONDS)
    assert sorted(runs.values()) == [str(day) for day in days]
    for run_id, day in runs.items():
        assert dagster.end_of(run_id, RUN_SECONDS) == "SUCCESS"
        said = f"a run of selected assets succeeded for {day}"
        endings[run_id] = Ending(ASSET_JOB, date.fromisoformat(day), "success", said)


def test_a_run_that_is_terminated_was_canceled(
    dagster: DagsterDev, endings: dict[str, Ending]
) -> None:
    run_id = dagster.launch(str(LATEST))
    eventually(lambda: dagster.status_of(run_id) == "STARTED" or None)
    dagster.terminate(run_id)
    assert dagster.end_of(run_id, RUN_SECONDS) == "CANCELED"
    said = f"{JOB_NAME} was canceled for {LATEST}"
    endings[run_id] = Ending(JOB_NAME, LATEST, "canceled", said)


def test_a_tick_of_the_schedule_asks_for_the_day_that_has_just_ended(dagster: DagsterDev) -> None:
    night = datetime.combine(LATEST + timedelta(days=1), datetime.min.time(), UTC)
    tick = dagster.tick(SCHEDULE_NAME, (night + timedelta(minutes=10)).timestamp())
    (request,) = tick["runRequests"]
    tags = {tag["key"]: tag["value"] for tag in request["tags"]}
    assert tags["dagster/partition"] == str(LATEST)


def test_monitoring_slack_and_vp_status_say_how_each_run_above_ended(
    home: Home, endings: dict[str, Ending]
) -> None:
    assert endings, "The tests above start the runs."
    for run_id, ending in endings.items():
        assert ending.slack in slack_answer(home, run_id)
    rows = recorded(home, endings)
    assert rows == {run_id: ending[:3] for run_id, ending in endings.items()}
    shown = STATUS_ROW.findall(home.vp("status").stdout)
    assert sorted(shown) == sorted(
        (str(day), f"success ({job})" if job == CHECKS_ALONE else status)
        for job, day, status in rows.values()
    )
