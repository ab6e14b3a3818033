"""Whose turn it is to open the DuckDB file: a writer that waits goes before readers that come.

DuckDB lets in any number of readers, or one writer. Readers that follow one another would keep a
writer out for good, so that each process passes a gate on the way in: a reader shares it for a
moment, a writer holds it alone until it has the file. The gate is an advisory lock on the file's
folder, which leaves nothing behind, and which the system opens when its holder dies.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# A writer has to find a moment between readers.
_POLL_SECONDS: Final = 0.01


class Gate:
    """The gate of a folder, which need not be taken."""

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
            return True  # A file system without such locks; DuckDB's own still hold.
        return True

    def let_others_pass(self) -> None:
        """A reader that finds the file in use waits outside; a writer stays where it is."""
        if not self._is_writer:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._lock)


@contextmanager
def turn_of_writer(folder: Path, seconds: float) -> Iterator[bool]:
    """Keep readers from coming while another process opens the file to write; false if the gate
    cannot be had in time, because another writer waits for the file."""
    gate = Gate(folder, is_writer=True)
    try:
        deadline = time.monotonic() + seconds
        while not (is_taken := gate.try_to_take()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield is_taken
    finally:
        gate.close()
