"""A SQL statement as the stages make it, and the answer that a warehouse gives.

SQL of the stages is written for every engine: a value is named `$name` and bound, never written
into the text; a list stands where its elements may, as in `source_file in ($files)`.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
# Not the `$` inside METADATA$FILENAME, nor the column $1 of a staged file.
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


class Rows(NamedTuple):
    """An answer that is read once, row by row.

    `total` counts all rows of the query, of which `rows` may give only the first.
    """

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    total: int


def named(statement: Statement) -> Statement:
    """The statement with lists spelled out: `($files)` becomes `($files_0, $files_1)`.

    An empty list becomes null, which nothing equals. Only values that the statement names are left.

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
    """The same for a client that knows only `?`: the text, and a value for each.

    >>> positional(Statement("select $x, $1 from t where a in ($f)", {"x": 1, "f": ["a", "b"]}))
    ('select ?, $1 from t where a in (?, ?)', [1, 'a', 'b'])
    """
    # Without values a `$` is a letter, e.g. of a file's name.
    if not statement.values:
        return statement.sql, []
    spelled = named(statement)
    places = _NAME.findall(spelled.sql)
    return _NAME.sub("?", spelled.sql), [spelled.values[name] for name in places]
