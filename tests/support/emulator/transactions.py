"""Transactions as Snowflake has them.

DuckDB ends a transaction at its first error, and a transaction there may hold DDL. On Snowflake a
statement that fails is undone alone: the transaction stays open, with what it did before. DDL
commits the open transaction first. BEGIN inside a transaction does nothing, and neither do COMMIT
and ROLLBACK outside of one.

Source: Snowflake's documentation, Transactions. It does not say which of ALTER SESSION, USE, SHOW
and DESCRIBE commit, and lists all of them as DDL. Here they do, the reading that hides nothing.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from tests.support.emulator import account

_FIRST_WORD: Final = re.compile(
    r"(?:\s|\(|--[^\n]*(?:\n|$)|//[^\n]*(?:\n|$)|/\*.*?\*/)*(\w+)", re.DOTALL
)
_BEGIN: Final = frozenset({"begin", "start"})
_END: Final = frozenset({"commit", "rollback"})
# What belongs to the open transaction: queries and DML.
_INSIDE: Final = frozenset(
    {
        *("select", "with", "values", "call", "explain"),
        *("insert", "update", "delete", "merge", "truncate", "copy"),
    }
)

Statement = Callable[[], Any]


def first_word(command: str) -> str:
    """The word that a statement begins with, in lower case, after comments and brackets."""
    found = _FIRST_WORD.match(command)
    return found.group(1).lower() if found else ""


class Transaction:
    """The transaction of a session, open or not; `database` is the session's own connection."""

    def __init__(self, database: Any) -> None:
        self._database = database
        # What it did so far; None while there is none.
        self._done: list[Statement] | None = None

    def run(self, command: str, statement: Statement, without_effect: Callable[[str], Any]) -> Any:
        """Run a statement of the session; `without_effect` runs another text in its place."""
        word = first_word(command)
        if word in _BEGIN:
            if self._done is not None:
                return without_effect(account.DONE)
            answer = statement()
            self._done = []
            return answer
        if word in _END:
            if self._done is None:
                return without_effect(account.DONE)
            self._done = None
            return statement()
        if word not in _INSIDE:
            self._commit()
        if self._done is None:
            return statement()
        try:
            answer = statement()
        except Exception:
            self._go_back()
            raise
        self._done.append(statement)
        return answer

    def end(self) -> None:
        """As the session ends: what is not committed is undone."""
        if self._done is not None:
            self._done = None
            self._database.rollback()

    def _commit(self) -> None:
        if self._done is not None:
            self._done = None
            self._database.commit()

    def _go_back(self) -> None:
        """To before the statement that failed: DuckDB has no savepoints, so all is done again."""
        self._database.rollback()
        self._database.begin()
        for statement in self._done or ():
            statement()
