"""Tables that fit where they are printed."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

_UNBOUNDED: Final = 1_000_000


def fits(console: Console, table: Table) -> bool:
    """Whether each cell has its text on one line."""
    unbounded = console.options.update(max_width=_UNBOUNDED)
    return console.measure(table, options=unbounded).maximum <= console.width


def without_spare(console: Console, table: Table, spare: Sequence[str]) -> Table:
    """The table; if it does not fit, without the first of its `spare` columns, or the first two,
    and so on. A number or a day is whole in any case."""
    for header in spare:
        if not fits(console, table):
            table.columns = [column for column in table.columns if column.header != header]
    return table
