"""The equations between RAW and MART: each can fail, and names its two numbers."""

import pytest

from veracitypro_pipeline.sources.keepa.conservation import CONSERVATION
from veracitypro_pipeline.transform.conservation import broken_equations

GOOD = {
    "raw_rows": 10,
    "accepted": 9,
    "refused": 1,
    "products": 8,
    "products_in_mart": 8,
    "points": 100,
    "changes": 100,
    "days_due": 50,
    "days_described": 50,
}


def test_a_day_on_which_all_agrees_has_nothing_to_say() -> None:
    assert broken_equations(CONSERVATION.equations, GOOD) == []


@pytest.mark.parametrize("name", GOOD)
def test_a_count_that_is_off_by_one_is_named(name: str) -> None:
    (sentence,) = broken_equations(CONSERVATION.equations, {**GOOD, name: GOOD[name] + 1})
    assert str(GOOD[name] + 1) in sentence or name in ("accepted", "refused")
