"""Transactions with Snowflake's semantics.

DuckDB ends a transaction at its first error, and allows DDL in it. On Snowflake only the failed
statement is undone, and the transaction stays open. DDL commits the open transaction first. BEGIN
inside a transaction does nothing, and neither do COMMIT and ROLLBACK outside of one.

Source: Snowflake's documentation, Transactions. It lists ALTER SESSION, USE, SHOW and DESCRIBE as
DDL without saying which of them commit. Here all do, which is the strictest reading.
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
# Statements that run inside the open transaction: queries and DML.
_INSIDE: Final = frozenset(
    {
        *("select", "with", "values", "call", "explain"),
        *("insert", "update", "delete", "merge", "truncate", "copy"),
    }
)

Statement = Callable[[], Any]


def first_word(command: str) -> str:
    """The first word of a statement, in lower case, after comments and brackets."""
    found = _FIRST_WORD.match(command)
    return found.group(1).lower() if found else ""


class Transaction:
    """The transaction of a session, open or not; `database` is the session's own connection."""

    def __init__(self, database: Any) -> None:
        self._database = database
        # Its statements so far; None while no transaction is open.
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
        """Roll back the open transaction at the end of the session."""
        if self._done is not None:
            self._done = None
            self._database.rollback()

    def _commit(self) -> None:
        if self._done is not None:
            self._done = None
            self._database.commit()

    def _go_back(self) -> None:
        """Undo the failed statement: DuckDB has no savepoints, so roll back and repeat the rest."""
        self._database.rollback()
        self._database.begin()
        for statement in self._done or ():
            statement()
