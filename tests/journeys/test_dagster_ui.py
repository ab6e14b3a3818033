"""Plain `dagster dev`, looked at in a browser: the lineage graph, and "Materialize all"."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.settings import REPOSITORY_DIR

from .conftest import RUN_SECONDS
from .dagster_dev import DagsterDev, dagster_dev
from .looking import CHROMIUM, PATIENCE_MS, a_browser

pytestmark = pytest.mark.xdist_group("ui")

GRAPH = REPOSITORY_DIR / "tests" / "definitions" / "graph.json"
RUNS = """
{runsOrError {... on Runs {results {
    status
    stats {... on RunStatsSnapshot {materializations stepsFailed}}
}}}}
"""


@pytest.fixture(scope="module")
def dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on the PATH to look at the page with.")
    with dagster_dev(tmp_path_factory.mktemp("ui") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def address(dagster: DagsterDev) -> str:
    return dagster.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
    """In the order of the stages, by where the drawing's edges begin and end."""
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
    """The place of all of them on the page, with a margin."""
    margin = 24.0
    found = [box for group in groups.all() if (box := group.bounding_box())]
    left = min(box["x"] for box in found) - margin
    top = min(box["y"] for box in found) - margin
    right = max(box["x"] + box["width"] for box in found) + margin
    bottom = max(box["y"] + box["height"] for box in found) + margin
    return {"x": left, "y": top, "width": right - left, "height": bottom - top}


def _touches(box: dict[str, float], x: float, y: float) -> bool:
    """The arrow's head ends a little before the box, its line begins inside."""
    near = 10.0
    return (
        box["x"] - near <= x <= box["x"] + box["width"] + near
        and box["y"] <= y <= box["y"] + box["height"]
    )


def test_materialize_all_of_a_partition_succeeds(page: Page, dagster: DagsterDev) -> None:
    page.get_by_role("button", name=re.compile("Materialize all")).click()
    page.get_by_role("button", name="Latest").click()
    with page.expect_response(lambda answer: "launchPipelineExecution" in answer.text()):
        page.get_by_role("button", name=re.compile("^Launch")).last.click()

    page.goto(f"{dagster.address}/runs")
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=RUN_SECONDS * 1000)
    expect(page.get_by_text(re.compile("^partition: ")).first).to_be_visible()
    (run,) = dagster.ask(RUNS)["runsOrError"]["results"]
    assert run["status"] == "SUCCESS"
    assert run["stats"]["stepsFailed"] == 0
    assert run["stats"]["materializations"] == len(json.loads(GRAPH.read_text())["assets"])


def test_the_lineage_graph_shows_assets_with_their_checks(
    page: Page, keep_picture: Callable[[bytes, str], None]
) -> None:
    """After the run above: those of groups that have one asset, between groups that have many."""
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
        # What is expanded is kept; a page that is loaded anew shows all of the graph.
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
    for heading in ("Row count", "Freshness policy", "Latest check results", "Columns"):
        expect(page.get_by_text(heading, exact=True).first).to_be_visible()
    expect(page.get_by_text("core/core_keepa_price_daily.asin")).to_be_visible()
    keep_picture(page.screenshot(), "asset")

    page.goto(f"{mart}?view=checks&checkDetail=data_is_fresh")
    expect(page.get_by_text("The newest day that the rows speak of")).to_be_visible()
    expect(page.get_by_text("infra/runbooks/data_is_fresh.md")).to_be_visible()
    keep_picture(page.screenshot(), "checks")
