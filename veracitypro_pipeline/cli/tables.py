"""Tables that fit the terminal and keep all their columns."""

from collections.abc import Callable, Collection
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

# Characters around the text of a column: a rule and two blanks.
_AROUND_CELL: Final = 3


def fits(console: Console, table: Table) -> bool:
    """Whether the text of each cell fits on one line."""
    return _width(table, sum(_measure(console, one).maximum for one in table.columns)) <= (
        console.width
    )


def in_parts(console: Console, table: Table, moved: Collection[str], keys: int = 1) -> list[Table]:
    """The table if it fits, else with one list element a line (`7 passed, 1 warned`), else as two
    tables: the second has the columns `moved`.

    The first `keys` columns are in both. A column without `no_wrap` may break between words.
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
    """A copy with the wanted columns and one list element a line."""
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
    """Whether no word or number is broken."""
    whole = [_measure(console, one).maximum for one in table.columns if one.no_wrap]
    words = [_measure(console, one).minimum for one in table.columns if not one.no_wrap]
    # Rich makes columns that wrap about equally wide.
    return _width(table, sum(whole) + len(words) * max(words, default=0)) <= console.width


def _width(table: Table, text: int) -> int:
    return text + len(table.columns) * _AROUND_CELL + 1


def _measure(console: Console, column: Column) -> Measurement:
    """The length of the longest word and of the longest line, in characters."""
    unbounded = console.options.update(max_width=1_000_000)
    cells = [Text(str(cell)) for cell in (column.header, *column.cells)]
    measures = [Measurement.get(console, unbounded, cell) for cell in cells]
    return Measurement(max(one.minimum for one in measures), max(one.maximum for one in measures))
