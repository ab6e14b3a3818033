"""Kills a process at a point of its work; `sitecustomize.py` explains how."""

import json
from dataclasses import asdict, dataclass
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
        """The file that exists after a process has died."""
        return folder / self.what.replace(" ", "-")


def environment_of(folder: Path, *points: Point) -> dict[str, str]:
    """The environment of a process that is to die at the first of these points, or of its parent.

    One process dies at each point; the points are calls of different modules.
    """
    described = [{**asdict(point), "marker": str(point.marker(folder))} for point in points]
    return {"PYTHONPATH": str(FOLDER), "CRASH_POINTS": json.dumps(described)}


def dbt_statement(what: str, when: str, condition: str) -> Point:
    """A statement that dbt sends to its warehouse."""
    return Point(
        what, "dbt.adapters.sql.connections:SQLConnectionManager.add_query", when, condition
    )
