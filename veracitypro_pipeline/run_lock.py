"""The one place of a run in a home: a file lock, held by the run that is at work.

Not here: the home itself (`home.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from veracitypro_pipeline.home import RUN_LOCK_FILE, make_home

_POLL_SECONDS: Final = 0.2


def run_place(home: Path) -> FileLock:
    """The lock that a run of this home holds; the same object for all who ask in one process.

    The stack has one clock and the warehouse file one writer; and in every environment, whoever
    holds the place knows that a run of `vp` which looks alive in the instance is dead. The
    system frees the lock when its holder dies. The home must be there.
    """
    return FileLock(home / RUN_LOCK_FILE, is_singleton=True)


def no_run_at_work(home: Path) -> AbstractContextManager[object]:
    """Hold the place of a run meanwhile; leaves a folder alone in which there never was one.

    Raises:
        Timeout: a run is at work.
    """
    if not (home / RUN_LOCK_FILE).exists():
        return nullcontext()
    return run_place(home).acquire(timeout=0)


@contextmanager
def one_run_at_a_time(home: Path, say: Callable[[str], Any]) -> Iterator[bool]:
    """Hold the home's only place for a run; true for whoever takes it first in this process.

    A second run waits for its turn.
    """
    lock = run_place(make_home(home))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Another run is at work in {home}; waiting for it to end.")
        lock.acquire(poll_interval=_POLL_SECONDS)
    try:
        yield lock.lock_counter == 1
    finally:
        lock.release()
