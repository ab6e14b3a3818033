"""The request to play a day and its result, and their JSON in the stack's control API.

Imports little, because every command that looks for the stack imports it.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Final


class KeepSource(Enum):
    """Marks a request that keeps the current products."""

    KEEP = "keep"


KEEP: Final = KeepSource.KEEP

# A payload folder; the size of the generated catalogue, at least that of the tracked products; or
# the current products.
Products = Path | int | KeepSource
TRACKED_ALONE: Final = 0


class PlaybackError(RuntimeError):
    """A day cannot be played. The message is one sentence with the next step."""


@dataclass(frozen=True)
class PlayedDay:
    """The played day: the number of tracked products and their origin.

    `changed`: the newest successful sync of this as-of day had other inputs, so the day must be
    synced again. `before`: the origin of the home's products so far; empty if it is the same, or if
    nothing was synced.
    """

    tracked: int
    source: str
    changed: bool
    before: str


def play_to_json(as_of_date: date, products: Products) -> dict[str, Any]:
    """The body of POST /play: `folder`, or `asins`, or neither to keep the current products."""
    asked: dict[str, Any] = {"as_of_date": as_of_date.isoformat()}
    if isinstance(products, int):
        asked["asins"] = products
    elif not isinstance(products, KeepSource):
        asked["folder"] = str(products.resolve())
    return asked


def play_from_json(asked: dict[str, Any]) -> tuple[date, Products]:
    """The inverse of `play_to_json`."""
    as_of_date = date.fromisoformat(asked["as_of_date"])
    if "folder" in asked:
        return as_of_date, Path(asked["folder"])
    return as_of_date, int(asked["asins"]) if "asins" in asked else KEEP


def played_from_json(answer: dict[str, Any]) -> PlayedDay:
    return PlayedDay(**answer)
