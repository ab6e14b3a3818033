"""The pictures of the pages: rows in, Altair charts out. One accent colour; red and amber mean red.

Days and instants are drawn in UTC, whatever the browser's time zone is.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

import altair as alt

ACCENT: Final = "#0f766e"
AMBER: Final = "#d97706"
RED: Final = "#b91c1c"
# What stands beside the accent: told apart by lightness, and by dashes where lines cross.
GREYS: Final = ("#475569", "#94a3b8", "#1e293b", "#64748b", "#b6c2d1")
DASHES: Final = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 4), (1, 3))
# Of one hue, from the first stage to the last.
STAGE_COLOURS: Final = (
    "#e2e8f0",
    "#cbd5e1",
    "#94a3b8",
    "#99d5cf",
    "#4fada5",
    "#0f766e",
    "#0b4f4a",
)
# Pixels, with legend and axes.
HEIGHT: Final = 320
# A bar of a run: as wide as a chart of a full screen leaves room for.
WIDEST_BAR: Final = 40
WIDTH_OF_BARS: Final = 600

Row = dict[str, Any]


def seconds_by_stage(rows: Sequence[Row], stages: Sequence[str]) -> alt.Chart:
    """Bars of runs, oldest first, stacked by stage. Rows: run, stage, stage_number, seconds."""
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_bar(size=_width(rows))
        .encode(
            x=_runs(),
            y=alt.Y("sum(seconds):Q", title="Seconds", axis=alt.Axis(format=",.0f")),
            color=alt.Color(
                "stage:N",
                title=None,
                scale=alt.Scale(domain=list(stages), range=list(STAGE_COLOURS)),
                legend=_legend(),
            ),
            order=alt.Order("stage_number:Q"),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("stage:N", title="Stage"),
                alt.Tooltip("seconds:Q", title="Seconds", format=",.1f"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart


def red_by_run(rows: Sequence[Row]) -> alt.Chart:
    """Bars of runs, oldest first, of checks that did not pass. Rows: run, outcome, checks."""
    names = ["warned", "failed"]
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_bar(size=_width(rows))
        .encode(
            x=_runs(),
            y=alt.Y(
                "sum(checks):Q", title="Red checks", axis=alt.Axis(format=",.0f", tickMinStep=1)
            ),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=names, range=[AMBER, RED]),
                legend=_legend(),
            ),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("outcome:N", title="Outcome"),
                alt.Tooltip("checks:Q", title="Checks", format=","),
            ],
        )
        .transform_calculate(rank=f"indexof({names}, datum.outcome)")
        .properties(height=HEIGHT)
    )
    return chart


def tokens_by_run(rows: Sequence[Row]) -> alt.Chart:
    """Bars of runs, oldest first, for half of the page. Rows: run, tokens."""
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=ACCENT, size=_width(rows, WIDTH_OF_BARS // 2))
        .encode(
            x=_runs(),
            y=alt.Y("tokens:Q", title="Keepa tokens", axis=alt.Axis(format=",.0f", tickMinStep=1)),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("tokens:Q", title="Keepa tokens", format=","),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart


def lines(
    rows: Sequence[Row],
    names: Sequence[str],
    value: str,
    title: str,
    *,
    number: str = ",.2f",
    best_is_lowest: bool = False,
) -> alt.LayerChart:
    """A line of daily values per name, the first in the accent colour. Rows: date, name, `value`.

    The value of a day is the one at its end; a day without one interrupts its line. A scale whose
    best is lowest, as of ranks, is logarithmic and upside down.
    """
    scale = (
        alt.Scale(type="log", reverse=True, nice=False)
        if best_is_lowest
        else alt.Scale(zero=False, nice=True)
    )
    colours = [ACCENT, *(GREYS[place % len(GREYS)] for place in range(len(names) - 1))]
    dashes = [list(DASHES[place % len(DASHES)]) for place in range(len(names))]
    chart = alt.Chart(_data(_with_lonely(rows, value))).encode(
        x=_days(),
        y=alt.Y(f"{value}:Q", title=title, scale=scale, axis=alt.Axis(format=number)),
        color=alt.Color(
            "name:N",
            title=None,
            scale=alt.Scale(domain=list(names), range=colours),
            legend=_legend("stroke"),
        ),
        tooltip=[
            alt.Tooltip("utcyearmonthdate(date):T", title="Day (UTC)"),
            alt.Tooltip("name:N", title="Series"),
            alt.Tooltip(f"{value}:Q", title=title, format=number),
        ],
    )
    drawn = chart.mark_line(interpolate="step-after").encode(
        strokeDash=alt.StrokeDash(
            "name:N",
            title=None,
            scale=alt.Scale(domain=list(names), range=dashes),
            legend=_legend("stroke"),
        ),
        strokeWidth=alt.condition(alt.datum.name == names[0], alt.value(2.4), alt.value(1.6)),
    )
    # A pointer finds each day by its point; only one without neighbours, which no line shows, is
    # to be seen.
    days = chart.mark_point(filled=True, size=36).encode(
        opacity=alt.condition("datum.is_lonely", alt.value(1), alt.value(0))
    )
    return alt.LayerChart(layer=[drawn, days], height=HEIGHT)


def shares(rows: Sequence[Row], sellers: Sequence[str]) -> alt.Chart:
    """Bars of days, stacked by seller; what is missing to 100 nobody held.

    Rows: date, seller, share_pct.
    """
    colours = [ACCENT, *(GREYS[place % len(GREYS)] for place in range(len(sellers) - 1))]
    chart: alt.Chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            x=_days(timeUnit="utcyearmonthdate"),
            y=alt.Y(
                "sum(share_pct):Q", title="Share of the day (%)", scale=alt.Scale(domain=[0, 100])
            ),
            color=alt.Color(
                "seller:N",
                title=None,
                scale=alt.Scale(domain=list(sellers), range=colours),
                legend=_legend(),
            ),
            tooltip=[
                alt.Tooltip("utcyearmonthdate(date):T", title="Day (UTC)"),
                alt.Tooltip("seller:N", title="Seller"),
                alt.Tooltip("sum(share_pct):Q", title="Share of the day (%)", format=".1f"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart


def _data(rows: Sequence[Row]) -> dict[str, Any]:
    """Days and instants as ISO 8601, which every browser takes for UTC."""
    return {
        "values": [
            {
                name: value.isoformat() if isinstance(value, date | datetime) else value
                for name, value in row.items()
            }
            for row in rows
        ]
    }


def _with_lonely(rows: Sequence[Row], value: str) -> list[Row]:
    """The rows; `is_lonely` where the days beside it have no value."""
    known = {(row["name"], row["date"]) for row in rows if row[value] is not None}
    day = timedelta(days=1)
    return [
        {
            **row,
            "is_lonely": row[value] is not None
            and (row["name"], row["date"] - day) not in known
            and (row["name"], row["date"] + day) not in known,
        }
        for row in rows
    ]


def _days(**more: Any) -> alt.X:
    return alt.X(
        "date:T",
        title="Day (UTC)",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%d %b", tickCount=8, labelOverlap=True),
        **more,
    )


def _runs() -> alt.X:
    """In the order of the rows; of a run's start, the seconds only tell two of a minute apart."""
    return alt.X(
        "run:N",
        title="Start of the run (UTC)",
        sort=None,
        axis=alt.Axis(
            labelAngle=0, labelOverlap=True, labelLimit=0, labelExpr="slice(datum.label, 0, 12)"
        ),
    )


def _width(rows: Sequence[Row], of_all: int = WIDTH_OF_BARS) -> int:
    runs = len({row["run"] for row in rows})
    return max(2, min(WIDEST_BAR, of_all // max(runs, 1)))


def _legend(symbol: Literal["square", "stroke"] = "square") -> alt.Legend:
    # Names of products are long: two fit beside each other in a chart of half the page.
    columns = 2 if symbol == "stroke" else 0
    return alt.Legend(orient="top", labelLimit=280, symbolType=symbol, columns=columns)
