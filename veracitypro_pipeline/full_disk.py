"""A disk that is full: told from other faults, and said in one sentence.

Libraries say it in their own words, some after a retry. No repetition makes room, so that it is a
permanent failure wherever it is met; the same day is right once there is room.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
# As the C library, rclone, SQLite and DuckDB say it; in lower case.
_WORDS: Final = (
    "no space left on device",
    "disk quota exceeded",
    "database or disk is full",
)
# SQLite says these of other faults too: then it is the space that tells.
_PERHAPS: Final = ("disk i/o error", "unable to open database file")
_NO_ROOM: Final = 1_000_000
_SENTENCE: Final = re.compile(r"The file system of .+ is full \(.+; then run it again\.")
_MEGABYTE: Final = 1_000_000

# Where the settings let this process write. Folders that are not there yet stand for those above.
_places: list[Path] = []


class FullDisk(RuntimeError):
    """The message is the sentence, in place of what a library says beside it."""


def learn_places(places: Iterable[Path]) -> None:
    """Know more folders that may be meant when an error names none."""
    _places.extend(place for place in places if place not in _places)


def said_of(error: BaseException) -> str | None:
    """The sentence, if the error or one behind it comes of a full disk; else None."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _FULL:
            named = [one.filename] if isinstance(one.filename, str | bytes) else []
            return _sentence([Path(os.fsdecode(name)) for name in named])
        if (said := said_in(str(one))) is not None:
            return said
    return None


def said_in(text: str) -> str | None:
    """The same of what a library has said."""
    said = text.lower()
    is_full = any(word in said for word in _WORDS)
    if is_full or (any(word in said for word in _PERHAPS) and _fullest([])[0] < _NO_ROOM):
        return _sentence([])
    return relayed(text)


def relayed(text: str) -> str | None:
    """The sentence as another process of this machine has said it."""
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
    """Bytes that are free, and where: in what is named, or in the places that are known."""
    places = named or [*_places, Path(tempfile.gettempdir())]
    return min((_free_bytes(place), place) for place in map(_there, places))


def _there(path: Path) -> Path:
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _free_bytes(path: Path) -> int:
    """What a user may write, as `df` shows it; 0 where no more files can be made."""
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
