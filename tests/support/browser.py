"""A headless Chromium, and `vp dashboard` as a user starts it."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.home import Home

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
START_SECONDS: Final = 120.0
# How long a page may take; a busy machine is slow.
PATIENCE_MS: Final = 60_000


class Dashboard:
    """The running command, and its output."""

    def __init__(self, home: Home) -> None:
        self.home = home
        elsewhere = {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}  # noqa: S104 - it must not count
        self.process = home.start("dashboard", "--no-browser", **elsewhere)
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        self.address = next((word for word in self.said.split() if word.startswith("http")), "")
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                httpx.get(f"{self.address}/_stcore/health", timeout=1).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(f"The dashboard did not come up: {self.said}")

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)
        return self.process.returncode


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A browser that makes no requests of its own."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def drawn(page: Page, count: int) -> None:
    """Wait for this number of charts, each with its marks."""
    charts = page.get_by_test_id("stVegaLiteChart").locator("canvas, svg")
    expect(charts).to_have_count(count)
