"""`vp dashboard` in a browser, on real nights, the last of them with checks that warn.

Reads a copy of the home that the journeys of nights have made, and runs a third night in it.
"""

import gzip
import json
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.support.browser import CHROMIUM, PATIENCE_MS, Dashboard, a_browser, drawn
from tests.support.home import SECOND, Home
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.local.stack.lifecycle import stop_stack
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNEL_BY_NAME

pytestmark = pytest.mark.xdist_group("nights")

# A product that has every kind of series in the generated catalogue.
OURS: Final = "B0VPCTRL14"
# An address below which Streamlit might be mounted: its page asks there first, its server answers
# 404 so that it asks at the root, and the browser writes both into the console. No option of
# Streamlit 1.67 changes this (`starlette_static_routes.py`, reserved paths).
ASKED_OF_A_PAGE: Final = ("/product/_stcore/health", "/product/_stcore/host-config")
# The night after those two. Keepa answers for all tracked products but one, and the prices of
# another are cut in the middle of a point.
THIRD: Final = SECOND + timedelta(days=1)


@pytest.fixture(scope="module")
def dashboard(
    nights_home: Home, nights: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    home = Home(tmp_path_factory.mktemp("dashboard") / "home")
    for name in ("warehouse", "dbt"):
        shutil.copytree(nights_home.path / name, home.path / name)
    answers = home.path.parent / "answers"
    answers.mkdir()
    lines = gzip.decompress(nights_home.landing_files()[-1].read_bytes()).splitlines()
    products = [json.loads(line)["_airbyte_data"] for line in lines]
    products.pop()
    products[-1]["csv"][CHANNEL_BY_NAME["NEW"].index].pop()
    (answers / "night.json").write_text(json.dumps({"products": products}))
    try:
        home.run("--date", str(THIRD), "--products", str(answers))
        running = Dashboard(home)
        yield running
        running.interrupt()
    finally:
        stop_stack(home.path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on the PATH to look at the pages with.")
    with a_browser() as browser:
        yield browser


@pytest.fixture
def opened(dashboard: Dashboard, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens an address of the dashboard, in a browser whose time zone is far from UTC.

    At the end, no request left the machine and the console has no error.
    """
    page = browser.new_page(
        viewport={"width": 1400, "height": 1000}, timezone_id="America/Los_Angeles"
    )
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[tuple[str, str]] = []
    asked: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if said.type == "error":
            complaints.append((said.location["url"], said.text))

    def open_at(path: str) -> Page:
        page.goto(f"{dashboard.address}{path}", wait_until="domcontentloaded")
        return page

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(("", str(error))))
    page.on("request", lambda request: asked.append(request.url))
    yield open_at
    page.close()
    expected = {f"{dashboard.address}{path}" for path in ASKED_OF_A_PAGE}
    assert [said for said in complaints if said[0] not in expected] == []
    assert asked
    foreign = [url for url in asked if not url.startswith((dashboard.address, "data:", "blob:"))]
    assert foreign == []


@pytest.fixture
def page(opened: Callable[[str], Page]) -> Page:
    """The first page."""
    return opened("")


def whole(page: Page, until: Locator | None = None) -> bytes:
    """A picture of the whole page, or of the part above an element."""
    page.wait_for_load_state("networkidle")
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": 1400, "height": height})
    box = until.bounding_box() if until else None
    return page.screenshot(
        clip={"x": 0, "y": 0, "width": 1400, "height": box["y"] if box else height}
    )


def test_the_page_of_the_pipeline_tells_of_the_nights_and_of_what_warns(
    page: Page, keep_picture: Callable[..., None]
) -> None:
    expect(page.get_by_role("heading", name="Pipeline", exact=True)).to_be_visible()
    expect(page.get_by_text("Of the newest checks, 2 warned: see below.")).to_be_visible()
    expect(page.get_by_text("nothing is lost.")).to_be_visible()
    expect(
        page.get_by_test_id("stText").get_by_text("Refused: 0 of 23 records, 1 of")
    ).to_be_visible()
    expect(page.get_by_text("1 refused in all, by reason.")).to_be_visible()
    expect(page.get_by_text("Every mart is as fresh as promised on 2025-11-22")).to_be_visible()
    # Seconds, red checks, tokens.
    drawn(page, 3)
    # A grid is a drawing, with a table beside it for screen readers.
    hops = page.get_by_test_id("stDataFrame").first.locator("table")
    for stage in STAGES:
        expect(hops.locator("td").get_by_text(stage, exact=True).first).to_be_attached()
    below = page.get_by_role("heading", name="How fresh each mart is")
    keep_picture(whole(page, until=below), "pipeline", height=None)


def test_a_red_dbt_test_leads_to_its_failing_rows(page: Page) -> None:
    """The row of the product that Keepa left out."""
    red = page.get_by_test_id("stDataFrame").filter(has=page.locator("th", has_text="Since"))
    expect(red.locator("td").get_by_text("tracked_products_are_fetched")).to_be_attached()
    # The checkbox of the second row, in the drawn grid.
    red.click(position={"x": 18, "y": 35 * 2 + 17})
    expect(page.get_by_text("The first 1 failing row.")).to_be_visible()
    expect(page.locator("td").get_by_text("2025-11-21", exact=True).first).to_be_attached()


def test_the_page_of_a_product_draws_it_among_its_rivals(
    page: Page, keep_picture: Callable[..., None]
) -> None:
    page.get_by_role("link", name="Product").click()
    expect(page.get_by_role("heading", name="Product", exact=True)).to_be_visible()
    choice = page.get_by_role("combobox", name="Product: title, ASIN, marketplace")
    choice.fill(OURS)
    page.get_by_role("option", name=f"{OURS} · amazon.com ·").click()
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?domain_id=1&asin={OURS}")
    expect(page.get_by_text("The line is control_14, on amazon.com.")).to_be_visible()
    expect(page.get_by_text("Landed price, Buy box (USD)")).to_be_visible()
    # Ninety days, the newest of them the last night's.
    since = page.get_by_text("since 2025-08-25").or_(page.get_by_text("as on 2025-08-25"))
    expect(since.first).to_be_visible()
    # Channels, landed price, rank, rating, number of ratings, buy box.
    drawn(page, 6)
    keep_picture(whole(page), "product")


def test_the_menu_leads_from_page_to_page_and_back(page: Page) -> None:
    """`python -m tests.bench dashboard` measures how fast."""
    last_words = {"Product": "Who held the buy box", "Pipeline": "What was refused, and why"}
    for name in [*last_words, *last_words]:
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=last_words[name])).to_be_visible()


def test_the_address_of_a_product_can_be_sent_to_somebody(opened: Callable[[str], Page]) -> None:
    page = opened(f"/product?domain_id=1&asin={OURS.lower()}")
    expect(page.get_by_text("The line is control_14, on amazon.com.")).to_be_visible()
    drawn(page, 6)


def test_a_product_of_another_address_is_said_to_be_unknown(
    opened: Callable[[str], Page],
) -> None:
    page = opened("/product?domain_id=1&asin=B000000000")
    expect(
        page.get_by_text("There is no product B000000000 on marketplace 1 in MART.DIM_PRODUCT")
    ).to_be_visible()


def test_it_listens_on_loopback_only_whatever_the_environment_says(dashboard: Dashboard) -> None:
    host, port = dashboard.address.removeprefix("http://").split(":")
    assert host == "127.0.0.1"
    with socket.socket() as other:
        # On Linux all of 127.0.0.0/8 is this machine; a server on every address answers here, too.
        assert other.connect_ex(("127.0.0.2", int(port))) != 0


def test_a_run_can_write_while_the_pages_are_open(dashboard: Dashboard, page: Page) -> None:
    expect(page.get_by_role("button", name="Read again")).to_be_visible()
    with duckdb.connect(str(dashboard.home.path / "warehouse" / "vp_dwh.duckdb")) as writer:
        writer.execute("create schema if not exists ML")


def test_a_port_in_use_is_refused_in_a_sentence(dashboard: Dashboard) -> None:
    port = dashboard.address.rpartition(":")[2]
    sentence = dashboard.home.refusal("dashboard", "--no-browser", "--port", port)
    assert f"The port {port} cannot be used" in sentence


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    running = Dashboard(Home(tmp_path / "home"))
    assert "Ctrl+C ends it" in running.said
    assert running.interrupt() in (0, -signal.SIGINT)
    with pytest.raises(httpx.HTTPError):
        httpx.get(running.address, timeout=1)
