"""Services that are slow or ask for a long wait: every call ends in time."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import CALLS, GOOD, LIMIT, settings_for, without_waiting
from tests.support.misbehaving import misbehaving
from veracitypro_pipeline.cli import batch
from veracitypro_pipeline.cli.batch import Notifier
from veracitypro_pipeline.failures import TransientFailure
from veracitypro_pipeline.notify import delivery
from veracitypro_pipeline.resources import http, slack
from veracitypro_pipeline.resources.slack import SlackError, SlackUnavailableError

CALL_SECONDS = 0.5
# Far shorter than a dripping response, far longer than a call takes to end on a busy machine.
SOON = 5.0
SLOW_BODY = " " * 300 + "{}"
HTTP_CALLS = ("airbyte read", "airbyte start", "powerbi read", "powerbi start")
SLACK_CALLS = ("slack bot", "slack webhook")


@pytest.fixture
def waits() -> Iterator[list[float]]:
    with without_waiting() as slept:
        yield slept


@pytest.mark.parametrize("call", [*HTTP_CALLS, *SLACK_CALLS])
def test_a_server_that_drips_is_given_up(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (http, slack):
        monkeypatch.setattr(module, "CALL_SECONDS", CALL_SECONDS)
    began = time.monotonic()
    with misbehaving(replace(GOOD[call], body=SLOW_BODY, dripping=True)) as server:
        settings = settings_for(server.url, tmp_path)
        with pytest.raises(
            (TransientFailure, SlackUnavailableError), match=r"did not answer.*TimeoutError"
        ):
            CALLS[call](settings)
        assert time.monotonic() - began < SOON


@pytest.mark.parametrize("call", ["airbyte read", "powerbi read"])
def test_a_wait_that_a_service_asks_for_is_capped(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    for_a_day = replace(LIMIT, headers={"Retry-After": "86400"})
    with misbehaving(for_a_day, GOOD[call]) as server:
        CALLS[call](settings_for(server.url, tmp_path))
    assert waits == [http.RETRY_AFTER_SECONDS]


@pytest.mark.parametrize("call", SLACK_CALLS)
@pytest.mark.parametrize("asked", ["86400", "soon", "-1"])
def test_a_long_wait_that_slack_asks_for_is_not_waited_out(
    call: str, asked: str, waits: list[float], tmp_path: Path
) -> None:
    """The next delivery sends the message; an abandoned wait would send it twice."""
    with (
        misbehaving(replace(LIMIT, headers={"Retry-After": asked})) as server,
        pytest.raises(SlackError, match=r"ratelimited|429"),
    ):
        CALLS[call](settings_for(server.url, tmp_path))
    assert (waits, len(server.asked)) == ([], 1)


def test_a_slack_that_hangs_delays_a_run_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Deliveries of two runs in one process must not overlap, or messages are sent twice."""
    is_over, delivered = threading.Event(), []

    def deliver(*_: Any, **__: Any) -> None:
        is_over.wait()
        delivered.append("a delivery")

    monkeypatch.setattr(delivery, "deliver", deliver)
    monkeypatch.setattr(batch, "SLACK_SECONDS", 0.2)
    monkeypatch.setattr(Notifier, "_one_at_a_time", threading.Lock())
    notifier = Notifier(None, None)  # type: ignore[arg-type]
    began = time.monotonic()
    try:
        first = notifier.start()
        notifier.finish()
        assert 0.2 <= time.monotonic() - began < SOON
        assert "the next delivery sends them" in caplog.text
        assert (first.is_alive(), delivered) == (True, [])
    finally:
        is_over.set()
    notifier.start().join(SOON)
    assert delivered == ["a delivery"] * 3
