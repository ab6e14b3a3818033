"""The legends of charts fit on a phone."""

import math
from typing import Any

import pytest

from veracitypro_pipeline.dashboard import charts

# What is left of a phone of 390 pixels and of a screen of 1,400 beside margins and an axis.
PHONE, SCREEN = 265, 1_160
RIVALS = ["VeracityPro B0VPCTRL14", "Third Shot Goods B0BSLNRL01", "Slice & Spin Co B0DNKF0R01"]


def legend_at(legend: dict[str, Any], width: int) -> tuple[int, int]:
    """Its columns and the pixels of a name, as Vega reckons them in a chart of this width."""
    known = {"max": max, "min": min, "floor": math.floor, "width": width}
    columns, limit = (
        eval(legend[name]["expr"], known)  # noqa: S307 - ours, and Python to the letter
        for name in ("columns", "labelLimit")
    )
    return columns, limit


@pytest.mark.parametrize(
    ("names", "on_a_phone", "on_a_screen"),
    [(RIVALS, 1, 4), (["Buy box", "Amazon", "New", "List price"], 2, 9)],
)
def test_a_legend_has_as_many_columns_as_fit(
    names: list[str], on_a_phone: int, on_a_screen: int
) -> None:
    legend = charts.lines([], names, "price", "Price")["encoding"]["color"]["legend"]
    assert legend_at(legend, PHONE)[0] == on_a_phone
    assert legend_at(legend, SCREEN)[0] == on_a_screen


def test_a_name_is_never_wider_than_the_chart() -> None:
    legend = charts.lines([], ["x" * 100], "price", "Price")["encoding"]["color"]["legend"]
    columns, limit = legend_at(legend, PHONE)
    assert columns == 1
    assert limit < PHONE
