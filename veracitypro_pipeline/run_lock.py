"""The run lock of a home: a file lock, held by the run in progress."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from veracitypro_pipeline.home import RUN_LOCK_FILE, make_home

_POLL_SECONDS: Final = 0.2


def run_lock_of(home: Path) -> FileLock:
    """The lock that a run of this home holds; one object per process and home, which must exist.

    It is needed because the stack has one clock and the warehouse file one writer. In every
    environment, its holder also knows that any other run of `vp` that looks alive is dead: the
    system frees the lock when a process dies.
    """
    return FileLock(home / RUN_LOCK_FILE, is_singleton=True)


def no_run_in_progress(home: Path) -> AbstractContextManager[object]:
    """Hold the run lock; does nothing in a folder that never had a run.

    Raises:
        Timeout: a run is in progress.
    """
    if not (home / RUN_LOCK_FILE).exists():
        return nullcontext()
    return run_lock_of(home).acquire(timeout=0)


@contextmanager
def one_run_at_a_time(home: Path, say: Callable[[str], Any]) -> Iterator[bool]:
    """Wait for the run lock and hold it; yields whether this process did not hold it already."""
    lock = run_lock_of(make_home(home))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Another run is in progress in {home}; waiting for it to end.")
        lock.acquire(poll_interval=_POLL_SECONDS)
    try:
        yield lock.lock_counter == 1
    finally:
        lock.release()
