"""Recognises a full disk in the errors of libraries, and words it in one sentence.

Each library has its own message. A retry makes no room, so a full disk is always a permanent
failure. The day can be run again once there is room.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# Messages of the C library, rclone, SQLite and DuckDB, in lower case.
_MESSAGES: Final = (
    "no space left on device",
    "disk quota exceeded",
    "database or disk is full",
)
# SQLite uses these for other faults too, so the free space decides.
_AMBIGUOUS: Final = ("disk i/o error", "unable to open database file")
_NO_ROOM: Final = 1_000_000
_SENTENCE: Final = re.compile(r"The file system of .+ is full \(.+; then run it again\.")
_MEGABYTE: Final = 1_000_000

# Folders that this process writes to, from its settings. They need not exist yet.
_places: list[Path] = []


class FullDiskError(RuntimeError):
    """Replaces the error of a library; the message is the sentence."""


def learn_places(places: Iterable[Path]) -> None:
    """Add folders to look at when an error names none."""
    _places.extend(place for place in places if place not in _places)


def message_of(error: BaseException) -> str | None:
    """The sentence if a full disk caused the error, directly or behind it; else None."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _FULL:
            named = [one.filename] if isinstance(one.filename, str | bytes) else []
            return _sentence([Path(os.fsdecode(name)) for name in named])
        if (message := message_in(str(one))) is not None:
            return message
    return None


def message_in(text: str) -> str | None:
    """The same for the text of a library's error."""
    lower = text.lower()
    is_full = any(message in lower for message in _MESSAGES)
    if is_full or (any(message in lower for message in _AMBIGUOUS) and _fullest([])[0] < _NO_ROOM):
        return _sentence([])
    return relayed(text)


def relayed(text: str) -> str | None:
    """The sentence, if the text quotes it from another process of this machine."""
    found = _SENTENCE.search(text)
    return found.group() if found else None


def _sentence(named: list[Path]) -> str:
    free, place = _fullest(named)
    return (
        f"The file system of {place} is full ({free // _MEGABYTE:,} MB free now): make room there,"
        " or name another place with --home or VP_HOME, for temporary files with TMPDIR; then run"
        " it again."
    )


def _fullest(named: list[Path]) -> tuple[int, Path]:
    """The least free bytes and their place, of the named paths or else of all known folders."""
    places = named or [*_places, Path(tempfile.gettempdir())]
    return min((_free_bytes(place), place) for place in map(_existing, places))


def _existing(path: Path) -> Path:
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _free_bytes(path: Path) -> int:
    """Bytes that a user may write, as in `df`; 0 if no more files can be created."""
    state = os.statvfs(path)
    has_files = state.f_favail > 0 or state.f_files == 0
    return state.f_bavail * state.f_frsize if has_files else 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
