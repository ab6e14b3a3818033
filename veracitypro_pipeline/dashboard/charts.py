"""The charts of the pages: rows in, Vega-Lite specifications out. Red and amber are kept for red
checks.

Days and instants are drawn in UTC in every browser. Altair is not used: it validates each part of a
chart against a schema, which takes longer than all queries of a page.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal

ACCENT: Final = "#0f766e"
AMBER: Final = "#d97706"
RED: Final = "#b91c1c"
# Colours beside the accent differ in lightness; lines that cross also differ in dashes.
GREYS: Final = ("#475569", "#94a3b8", "#1e293b", "#64748b", "#b6c2d1")
DASHES: Final = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 4), (1, 3))
# One hue, from the first stage to the last.
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
# Pixels in a legend: the widest name, a wide letter, and a symbol with the space around it.
WIDEST_NAME: Final = 280
NAME_LETTER: Final = 8
NAME_SYMBOL: Final = 40
# The width of a run's bar, which fits a full-screen chart.
WIDEST_BAR: Final = 40
WIDTH_OF_BARS: Final = 600

# The second part of a run's name, after its as-of day.
OF_ITS_START: Final = ", started "

Row = dict[str, Any]
# A specification for `st.vega_lite_chart`, with its data.
Chart = dict[str, Any]

DAY: Final = {"field": "date", "timeUnit": "utcyearmonthdate", "type": "temporal"}


def seconds_by_stage(rows: Sequence[Row], stages: Sequence[str]) -> Chart:
    """Bars of runs, oldest first, stacked by stage. Rows: run, stage, stage_number, seconds."""
    return {
        "data": _data(rows, "run", "stage", "stage_number", "seconds"),
        "height": HEIGHT,
        "mark": {"type": "bar", "size": _width(rows)},
        "encoding": {
            "x": _runs(),
            "y": {**_sum("seconds", "Seconds"), "axis": {"format": ",.0f"}},
            "color": _colours("stage", stages, STAGE_COLOURS),
            "order": {"field": "stage_number", "type": "quantitative"},
            "tooltip": [
                {"field": "run", "title": "Run"},
                {"field": "stage", "title": "Stage"},
                _number("seconds", "Seconds", ",.1f"),
            ],
        },
    }


def red_by_run(rows: Sequence[Row]) -> Chart:
    """Bars of runs, oldest first: checks that did not pass. Rows: run, outcome, checks."""
    names = ["warned", "failed"]
    ranked = [{**row, "rank": names.index(row["outcome"])} for row in rows]
    return {
        "data": _data(ranked, "run", "outcome", "rank", "checks"),
        "height": HEIGHT,
        "mark": {"type": "bar", "size": _width(rows)},
        "encoding": {
            "x": _runs(),
            "y": {**_sum("checks", "Checks that did not pass"), "axis": _whole_numbers()},
            "color": _colours("outcome", names, (AMBER, RED)),
            "order": {"field": "rank", "type": "quantitative"},
            "tooltip": [
                {"field": "run", "title": "Run"},
                {"field": "outcome", "title": "Outcome"},
                _number("checks", "Checks", ","),
            ],
        },
    }


def tokens_by_run(rows: Sequence[Row]) -> Chart:
    """Bars of runs, oldest first, for half of the page. Rows: run, tokens."""
    return {
        "data": _data(rows, "run", "tokens"),
        "height": HEIGHT,
        "mark": {"type": "bar", "color": ACCENT, "size": _width(rows, WIDTH_OF_BARS // 2)},
        "encoding": {
            "x": _runs(),
            "y": {**_number("tokens", "Keepa tokens"), "axis": _whole_numbers()},
            "tooltip": [{"field": "run", "title": "Run"}, _number("tokens", "Keepa tokens", ",")],
        },
    }


def lines(
    rows: Sequence[Row],
    names: Sequence[str],
    value: str,
    title: str,
    *,
    number: str = ",.2f",
    best_is_lowest: bool = False,
) -> Chart:
    """A line of daily values per name, the first in the accent colour. Rows: date, name, `value`.

    A value is that at the end of its day; a day without a value interrupts the line. A scale whose
    lowest value is best, such as a rank, is logarithmic and inverted.
    """
    scale = (
        {"type": "log", "reverse": True, "nice": False}
        if best_is_lowest
        else {"zero": False, "nice": True}
    )
    dashes = [list(DASHES[place % len(DASHES)]) for place in range(len(names))]
    drawn = {
        "mark": {"type": "line", "interpolate": "step-after"},
        "encoding": {
            "strokeDash": {
                **_colours("name", names, dashes),
                "legend": _legend(names, "stroke"),
            },
            "strokeWidth": {
                "condition": {"test": {"field": "name", "equal": names[0]}, "value": 2.4},
                "value": 1.6,
            },
        },
    }
    # Each day has an invisible point for the tooltip. A point without neighbours, which no line
    # shows, is visible.
    days = {
        "mark": {"type": "point", "filled": True, "size": 36},
        "encoding": {
            "opacity": {"condition": {"test": "datum.is_lonely", "value": 1}, "value": 0},
        },
    }
    return {
        "data": _data(_with_lonely(rows, value), "date", "name", value, "is_lonely"),
        "height": HEIGHT,
        "layer": [drawn, days],
        "encoding": {
            "x": _days(),
            "y": {**_number(value, title), "scale": scale, "axis": {"format": number}},
            "color": {
                **_colours("name", names, _accent_and_greys(names)),
                "legend": _legend(names, "stroke"),
            },
            "tooltip": [
                {**DAY, "title": "Day (UTC)"},
                {"field": "name", "title": "Series"},
                _number(value, title, number),
            ],
        },
    }


def shares(rows: Sequence[Row], sellers: Sequence[str]) -> Chart:
    """Bars of days, stacked by seller; the rest to 100 % had no holder.

    Rows: date, seller, share_pct.
    """
    share = _sum("share_pct", "Share of the day (%)")
    return {
        "data": _data(rows, "date", "seller", "share_pct"),
        "height": HEIGHT,
        "mark": {"type": "bar"},
        "encoding": {
            "x": {**_days(), **DAY},
            "y": {**share, "scale": {"domain": [0, 100]}},
            "color": _colours("seller", sellers, _accent_and_greys(sellers)),
            "tooltip": [
                {**DAY, "title": "Day (UTC)"},
                {"field": "seller", "title": "Seller"},
                {**share, "format": ".1f"},
            ],
        },
    }


def _data(rows: Sequence[Row], *names: str) -> dict[str, Any]:
    """Rows with these columns; days and instants as ISO 8601 in UTC."""
    return {
        "values": [
            {
                name: value.isoformat() if isinstance(value := row[name], date) else value
                for name in names
            }
            for row in rows
        ]
    }


def _with_lonely(rows: Sequence[Row], value: str) -> list[Row]:
    """The rows with `is_lonely`: whether both neighbouring days lack a value."""
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


def _days() -> dict[str, Any]:
    return {
        "field": "date",
        "type": "temporal",
        "title": "Day (UTC)",
        "scale": {"type": "utc"},
        "axis": {
            "format": "%d %b",
            "tickCount": 8,
            "labelOverlap": True,
            # Pixels; a label this near to an end would exceed the chart.
            "labelFlush": 20,
        },
    }


def _runs() -> dict[str, Any]:
    """The axis of runs, in the order of the rows. It shows the as-of day of a run's name, whose
    start keeps runs of the same day apart."""
    return {
        "field": "run",
        "type": "nominal",
        "title": "As-of day of the run",
        "sort": None,
        "axis": {
            "labelAngle": 0,
            "labelOverlap": True,
            "labelLimit": 0,
            "labelExpr": f"split(datum.label, '{OF_ITS_START}')[0]",
        },
    }


def _number(field: str, title: str, form: str | None = None) -> dict[str, Any]:
    found = {"field": field, "type": "quantitative", "title": title}
    return found if form is None else {**found, "format": form}


def _sum(field: str, title: str) -> dict[str, Any]:
    return {**_number(field, title), "aggregate": "sum"}


def _whole_numbers() -> dict[str, Any]:
    return {"format": ",.0f", "tickMinStep": 1}


def _colours(field: str, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """A scale with a colour or a dash per name."""
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(names), "range": list(values)},
        "legend": _legend(names),
    }


def _accent_and_greys(names: Sequence[str]) -> list[str]:
    return [ACCENT, *(GREYS[place % len(GREYS)] for place in range(len(names) - 1))]


def _width(rows: Sequence[Row], of_all: int = WIDTH_OF_BARS) -> int:
    runs = len({row["run"] for row in rows})
    return max(2, min(WIDEST_BAR, of_all // max(runs, 1)))


def _legend(names: Sequence[str], symbol: Literal["square", "stroke"] = "square") -> dict[str, Any]:
    """A legend with as many columns as fit the chart: on a phone often one."""
    longest = min(WIDEST_NAME, NAME_LETTER * max(map(len, names), default=0))
    return {
        "orient": "top",
        "symbolType": symbol,
        "columns": {"expr": f"max(1, floor(width / {longest + NAME_SYMBOL}))"},
        "labelLimit": {"expr": f"min({WIDEST_NAME}, width - {NAME_SYMBOL})"},
    }
