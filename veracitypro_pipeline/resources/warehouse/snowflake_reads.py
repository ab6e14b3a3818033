"""Rejects statements that write, judging by their text, before they are sent to Snowflake.

This protects from mistakes, not from intent: a function that a query calls may still write. Only
a role without the right to write prevents that.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseRejectedError,
    require_one_statement,
)

_READING: Final = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "LIST", "LS"})

# Snowflake's lexical elements, as far as they decide where a literal or a comment ends. A nested
# comment and a lone carriage return can be read in two ways, so neither matches.
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


def reject_writes(sql: str) -> None:
    """Require that `sql` only reads; it may be several statements joined by `->>` or `;`.

    Raises:
        WarehouseRejectedError: a statement writes, or cannot be parsed.
    """
    for start, words in _parts(sql):
        has_procedure = ("AS", "PROCEDURE") in pairwise(words)
        if has_procedure or not words or words[0] not in _READING:
            raise WarehouseRejectedError(
                "Only a statement that reads can be run here (select, with, show, describe,"
                " explain, list), and no procedure; this one begins with"
                f" {sql[start:].strip()[:40]!r}."
            )


def reject_several(sql: str) -> None:
    """Require exactly one statement: Snowflake rejects several joined by `;`.

    Raises:
        WarehouseRejectedError: there is none, or more than one. Blanks and comments do not count.
    """
    statements, is_begun = 0, False
    for element in _ELEMENT.finditer(sql):
        if element.group() == ";":
            is_begun = False
        elif element.lastgroup != "blank" and not is_begun:
            statements, is_begun = statements + 1, True
    require_one_statement(statements)


def _parts(sql: str) -> Iterator[tuple[int, list[str]]]:
    """The start of each statement and its words in upper case; a sign is an empty word."""
    start, words = 0, list[str]()
    for element in _ELEMENT.finditer(re.sub(r"[\s;]+\Z", "", sql)):
        kind, found = element.lastgroup, element.group()
        if kind == "open":
            raise WarehouseRejectedError(
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
