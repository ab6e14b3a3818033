"""How long a reader waits for a page of `vp dashboard`, in a browser."""

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser

from tests.bench.harness import Benchmark, Cost
from tests.support.browser import PATIENCE_MS, Dashboard, a_browser, drawn
from tests.support.home import Home
from veracitypro_pipeline.local.stack.lifecycle import stop_stack

LAST: Final = date(2026, 1, 31)
NIGHTS_AT_ONCE: Final = 5
# Where each page is, and how many charts it has when no check is red.
PAGES: Final = {"Pipeline": ("", 2), "Product": ("product", 6)}


def dashboard(nights: int, repetitions: int) -> Benchmark:
    """From the address being typed to the last chart drawn, in a browser that keeps no files.

    The first visit is also the first of the server, which then imports and opens the warehouse; the
    second comes while the answers are kept.
    """
    result = Benchmark(
        "dashboard",
        f"how long does a page take, with {nights} nights recorded?",
        baseline="Pipeline, first visit",
    )
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as folder, a_browser() as browser:
        home = Home(Path(folder) / "home")
        try:
            # Some at a time: a command that takes minutes counts as one that hangs.
            for after in range(nights, 0, -NIGHTS_AT_ONCE):
                several = min(NIGHTS_AT_ONCE, after)
                last = LAST - timedelta(days=after - several)
                home.run("--days", str(several), "--date", str(last))
        finally:
            stop_stack(home.path)
        for _ in range(repetitions):
            for name, (path, charts) in PAGES.items():
                running = Dashboard(home)
                for visit in ("first", "second"):
                    seconds = _visit(browser, f"{running.address}/{path}", charts)
                    result.variant(f"{name}, {visit} visit").costs.append(Cost(seconds))
                running.interrupt()
    return result


def _visit(browser: Browser, address: str, charts: int) -> float:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE_MS)
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.get_by_role("button", name="Read again").wait_for()
    drawn(page, charts)
    seconds = time.perf_counter() - started
    page.close()
    return seconds
