"""Every client against every fault of its service; `faults.py` has the table.

A transient fault is retried where that is safe, and then raised as transient. A rejection is raised
as permanent after one call. No message contains a secret. Outcomes of jobs and refreshes, and
interrupts, are tested in `test_airbyte_client.py`, `test_ingest.py` and `test_powerbi_refresh.py`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.faults import (
    CALLS,
    FAULTS,
    GOOD,
    KINDS,
    LIMIT,
    LINES,
    MATRIX,
    WAIT,
    matrix,
    settings_for,
    without_waiting,
)
from tests.support.misbehaving import misbehaving
from veracitypro_pipeline.failures import TransientFailure

ROWS: Final = MATRIX.read_text(encoding="utf-8").splitlines()
# The calls that retry after the wait that a 429 asks for, and those that leave it to the step.
WAITING: Final = ("airbyte read", "powerbi read", "slack bot", "slack webhook")
NOT_WAITING: Final = {"airbyte start": "Airbyte", "powerbi start": "Power BI"}


@pytest.fixture
def waits() -> Iterator[list[float]]:
    with without_waiting() as slept:
        yield slept


@pytest.mark.parametrize("call", CALLS)
def test_a_healthy_service_is_called_once(call: str, waits: list[float], tmp_path: Path) -> None:
    with misbehaving(GOOD[call]) as server:
        CALLS[call](settings_for(server.url, tmp_path))
    # A session, our statement about secondary roles, and the statement itself.
    requests = {"snowflake query": 3, "snowflake build": 2}.get(call, 1)
    assert len(server.asked) == requests
    assert waits == []


@pytest.mark.parametrize("name", FAULTS)
def test_the_effect_of_each_fault_is_the_one_in_the_matrix(
    name: str, waits: list[float], tmp_path: Path
) -> None:
    """`python -m tests.support.faults` regenerates the matrix."""
    cell = FAULTS[name](tmp_path)
    assert cell.lost == "nothing"
    assert cell.row() in ROWS


def test_the_matrix_has_these_faults_and_no_others() -> None:
    head = matrix([]).splitlines()
    assert ROWS[: len(head)] == head
    assert len(ROWS) - len(head) == len(FAULTS) == len(set(ROWS[len(head) :]))


@pytest.mark.parametrize("call", WAITING)
def test_a_rate_limit_is_waited_out_as_long_as_the_service_asks(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    with misbehaving(LIMIT, GOOD[call]) as server:
        CALLS[call](settings_for(server.url, tmp_path))
    assert len(server.asked) == 2
    (waited,) = waits
    assert WAIT <= waited < WAIT + 1


@pytest.mark.parametrize("call", NOT_WAITING)
def test_a_start_is_not_retried_after_a_rate_limit_because_the_step_decides(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    said = f"{NOT_WAITING[call]} answered 429"
    with misbehaving(LIMIT) as server, pytest.raises(TransientFailure, match=said):
        CALLS[call](settings_for(server.url, tmp_path))
    assert (len(server.asked), waits) == (1, [])


def test_every_kind_of_fault_is_tested_on_every_service() -> None:
    """A new call or service needs rows of its own."""
    services = {call.split()[0] for call in CALLS}
    for lines in KINDS:
        assert {line[0].split()[0] for line in lines} == services
    assert {line[0] for line in LINES} == set(CALLS)
