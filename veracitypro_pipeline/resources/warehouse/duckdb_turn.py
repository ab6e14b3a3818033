"""Gives a waiting writer of the DuckDB file precedence over new readers.

DuckDB admits any number of readers, or one writer. A sequence of overlapping readers would starve a
writer. So each process first takes a gate: a reader shares it while it opens the file, a writer
holds it alone until it has the file. The gate is an advisory lock on the file's folder. It leaves
no file behind, and the system releases it when the process dies.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Short, so that a writer finds a gap between readers.
_POLL_SECONDS: Final = 0.01


class Gate:
    """The gate of a folder; not taken yet when created."""

    def __init__(self, folder: Path, *, is_writer: bool) -> None:
        self._lock = os.open(folder, os.O_RDONLY)
        self._mode = fcntl.LOCK_EX if is_writer else fcntl.LOCK_SH
        self._is_writer = is_writer

    def try_to_take(self) -> bool:
        try:
            fcntl.flock(self._lock, self._mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # This file system has no such locks; DuckDB's own lock still applies.
        return True

    def let_others_pass(self) -> None:
        """Release the gate before waiting for the file, as a reader; a writer keeps it."""
        if not self._is_writer:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._lock)


@contextmanager
def turn_of_writer(folder: Path, seconds: float) -> Iterator[bool]:
    """Keep new readers out while another process opens the file to write.

    Yields False if the gate is not free within `seconds`, because another writer holds it.
    """
    gate = Gate(folder, is_writer=True)
    try:
        end = time.monotonic() + seconds
        while not (is_taken := gate.try_to_take()) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        yield is_taken
    finally:
        gate.close()
