"""Killing a process at a point of its work; see `sitecustomize.py` for how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Point:
    """A call of `<module>:<function>`, `before` or `after` which a process ends.

    `condition` is a regular expression that finds the call by its arguments.
    """

    what: str
    at: str
    when: str
    condition: str = ""

    def marker(self, folder: Path) -> Path:
        """The file that is there once a process has died."""
        return folder / self.what.replace(" ", "-")

    def environment(self, folder: Path) -> dict[str, str]:
        """Of the process that is to die, or of its parent; one process dies."""
        return {
            "PYTHONPATH": str(FOLDER),
            "CRASH_AT": self.at,
            "CRASH_WHEN": self.when,
            "CRASH_IF": self.condition,
            "CRASH_ONCE": str(self.marker(folder)),
        }


def dbt_statement(what: str, when: str, condition: str) -> Point:
    """A statement that dbt sends to its warehouse."""
    return Point(
        what, "dbt.adapters.sql.connections:SQLConnectionManager.add_query", when, condition
    )
