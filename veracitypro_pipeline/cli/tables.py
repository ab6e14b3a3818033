"""Tables that fit where they are printed, and keep all of their columns."""

from collections.abc import Callable, Collection
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

# Characters of a column beside its text: a line and two blanks.
_AROUND_CELL: Final = 3


def fits(console: Console, table: Table) -> bool:
    """Whether each cell has its text on one line."""
    return _width(table, sum(_measure(console, one).maximum for one in table.columns)) <= (
        console.width
    )


def in_parts(console: Console, table: Table, moved: Collection[str], keys: int = 1) -> list[Table]:
    """The table, if it does not fit with a line for each element of a list, as in `1 warned`; if
    that does not help, the columns of these headers stand in a second table below it.

    The first `keys` columns stand in both. A column that is not `no_wrap` may break between words.
    """
    if fits(console, table):
        return [table]
    broken = _copy(table, lambda _: True)
    if _fits_by_words(console, broken):
        return [broken]
    headers = [column.header for column in table.columns]
    first = _copy(table, lambda header: header not in moved)
    second = _copy(table, lambda header: header in moved or header in headers[:keys])
    second.title = None
    return [first, second]


def _copy(table: Table, is_wanted: Callable[[object], bool]) -> Table:
    """Some of the columns, with lists broken into lines."""
    columns = [column for column in table.columns if is_wanted(column.header)]
    copy = Table(title=table.title)
    for column in columns:
        copy.add_column(column.header, justify=column.justify, no_wrap=column.no_wrap)
    for row, cells in zip(
        table.rows, zip(*(one.cells for one in columns), strict=True), strict=True
    ):
        copy.add_row(*(str(cell).replace(", ", ",\n") for cell in cells), style=row.style)
    return copy


def _fits_by_words(console: Console, table: Table) -> bool:
    """Whether every word and number has its place on one line."""
    whole = [_measure(console, one).maximum for one in table.columns if one.no_wrap]
    words = [_measure(console, one).minimum for one in table.columns if not one.no_wrap]
    # Columns that may be broken come out about equally wide.
    return _width(table, sum(whole) + len(words) * max(words, default=0)) <= console.width


def _width(table: Table, text: int) -> int:
    return text + len(table.columns) * _AROUND_CELL + 1


def _measure(console: Console, column: Column) -> Measurement:
    """Characters of the longest word and of the longest line."""
    unbounded = console.options.update(max_width=1_000_000)
    cells = [Text(str(cell)) for cell in (column.header, *column.cells)]
    measures = [Measurement.get(console, unbounded, cell) for cell in cells]
    return Measurement(max(one.minimum for one in measures), max(one.maximum for one in measures))
