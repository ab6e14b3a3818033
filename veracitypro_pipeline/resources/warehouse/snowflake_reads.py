"""Which statements only read, told from their text before Snowflake is asked.

This spares people a mistake; what keeps them from writing is a role that cannot. What a function
does that a query calls, only the role limits.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from veracitypro_pipeline.resources.warehouse.protocol import WarehouseRefusal, refuse_unless_one

_READING: Final = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST", "LS"})

# Snowflake's lexical elements, as far as they decide where a literal or a comment ends. A comment
# within a comment and a carriage return alone are read in two ways, so neither matches.
_ELEMENT: Final = re.compile(
    r"""
    (?P<blank> \s+ | (?:--|//)[^\r\n]*(?=\r?\n|\Z) | /\*(?:(?!/\*|\*/).)*\*/ )
    | (?P<literal> '(?:[^'\\]|\\.|'')*' | "(?:[^"]|"")*" | \$\$.*?\$\$ )
    | (?P<open> ['"] | \$\$ | -- | // | /\* )
    | (?P<word> \w[\w$]* )
    | (?P<chain> ->> | ; )
    | (?P<sign> . )
    """,
    re.DOTALL | re.VERBOSE,
)


def refuse_what_writes(sql: str) -> None:
    """Let pass what reads: one statement, or several that `->>` or `;` joins.

    Raises:
        WarehouseRefusal: a part of the statement writes, or is not clear.
    """
    for start, words in _parts(sql):
        has_procedure = ("AS", "PROCEDURE") in pairwise(words)
        if has_procedure or not words or words[0] not in _READING:
            raise WarehouseRefusal(
                "Only a statement that reads is run here (select, with, show, describe, explain,"
                f" list), and no procedure; this one begins with {sql[start:].strip()[:40]!r}."
            )


def refuse_several(sql: str) -> None:
    """Refuse statements joined by `;`, which Snowflake runs one at a time only.

    Raises:
        WarehouseRefusal: they are not exactly one; blanks and comments are none.
    """
    statements, is_begun = 0, False
    for element in _ELEMENT.finditer(sql):
        if element.group() == ";":
            is_begun = False
        elif element.lastgroup != "blank" and not is_begun:
            statements, is_begun = statements + 1, True
    refuse_unless_one(statements)


def _parts(sql: str) -> Iterator[tuple[int, list[str]]]:
    """Where each statement starts, and its words in upper case; a sign is an empty word."""
    start, words = 0, list[str]()
    for element in _ELEMENT.finditer(re.sub(r"[\s;]+\Z", "", sql)):
        kind, found = element.lastgroup, element.group()
        if kind == "open":
            raise WarehouseRefusal(
                f"The statement has a quote or a comment that does not end: {found!r}, its"
                f" character {element.start() + 1}."
            )
        if kind == "chain":
            yield start, words
            start, words = element.end(), []
        elif kind == "word":
            words.append(found.upper())
        elif kind != "blank" and (words or found != "("):
            words.append("")
    yield start, words
