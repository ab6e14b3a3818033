"""A SQL statement with named values, and the answer of a warehouse.

The stages write SQL for every engine. A value is bound by its `$name` and never becomes part of the
text; a list can be bound where its elements may be listed, as in `source_file in ($files)`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
# Matches neither the `$` in METADATA$FILENAME nor the column $1 of a staged file.
_NAME: Final = re.compile(r"(?<![\w$])\$([a-z]\w*)")


class Statement(NamedTuple):
    """One SQL statement and the values bound to its `$names`."""

    sql: str
    values: Mapping[str, Any] = _NOTHING


class Answer(NamedTuple):
    """Column names and rows of a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


# Runs a query with these values.
Query = Callable[[str, Mapping[str, Any]], Answer]


class Rows(NamedTuple):
    """An answer whose rows can be iterated once.

    `total` counts all rows of the query; `rows` may be only the first of them.
    """

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    total: int


def named(statement: Statement) -> Statement:
    """The statement with lists expanded: `($files)` becomes `($files_0, $files_1)`.

    An empty list becomes null, which equals nothing. Values that the statement does not name are
    dropped.

    >>> named(Statement("select 1 where 'a' in ($f)", {"f": ["a", "b"]}))
    Statement(sql="select 1 where 'a' in ($f_0, $f_1)", values={'f_0': 'a', 'f_1': 'b'})
    """
    values: dict[str, Any] = {}

    def spelled(match: re.Match[str]) -> str:
        name = match.group(1)
        value = statement.values[name]
        if not isinstance(value, list | tuple):
            values[name] = value
            return match.group(0)
        values.update({f"{name}_{place}": element for place, element in enumerate(value)})
        return ", ".join(f"${name}_{place}" for place in range(len(value))) or "null"

    return Statement(_NAME.sub(spelled, statement.sql), values)


def positional(statement: Statement) -> tuple[str, list[Any]]:
    """The text with `?` for each value, and the values in order.

    >>> positional(Statement("select $x, $1 from t where a in ($f)", {"x": 1, "f": ["a", "b"]}))
    ('select ?, $1 from t where a in (?, ?)', [1, 'a', 'b'])
    """
    # Without values, a `$` is ordinary text, as in the name of a file.
    if not statement.values:
        return statement.sql, []
    spelled = named(statement)
    places = _NAME.findall(spelled.sql)
    return _NAME.sub("?", spelled.sql), [spelled.values[name] for name in places]
