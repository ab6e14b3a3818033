"""What a day is played with, and how `vp` and the stack's control API say it to each other.

Light, since every command that looks for the stack imports it.
"""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, Final


class KeepSource(Enum):
    """Stands for the products that are in play already."""

    KEEP = "keep"


KEEP: Final = KeepSource.KEEP

# A payload folder; or how many products the generated catalogue has in all: the tracked ones and
# invented competitors, at least the tracked ones; or those in play.
Products = Path | int | KeepSource
TRACKED_ALONE: Final = 0


class PlaybackError(RuntimeError):
    """A day cannot be played. The message is one sentence with the next step."""


@dataclass(frozen=True)
class PlayedDay:
    """The day that is in play: how many products are tracked and where they come from.

    `changed`: a sync of this as-of day succeeded earlier, but the newest was made from other
    inputs than those now in play, so that the day must be synced again. `before`: where the home's
    products came from so far; empty if from the same place, or if it has none.
    """

    tracked: int
    source: str
    changed: bool
    before: str


def play_to_json(as_of_date: date, products: Products) -> dict[str, Any]:
    """The body of POST /play: `folder`, or `asins`, or neither to keep what is in play."""
    asked: dict[str, Any] = {"as_of_date": as_of_date.isoformat()}
    if isinstance(products, int):
        asked["asins"] = products
    elif not isinstance(products, KeepSource):
        asked["folder"] = str(products.resolve())
    return asked


def play_from_json(asked: dict[str, Any]) -> tuple[date, Products]:
    """What `play_to_json` wrote."""
    as_of_date = date.fromisoformat(asked["as_of_date"])
    if "folder" in asked:
        return as_of_date, Path(asked["folder"])
    return as_of_date, int(asked["asins"]) if "asins" in asked else KEEP


def played_from_json(answer: dict[str, Any]) -> PlayedDay:
    return PlayedDay(**answer)
