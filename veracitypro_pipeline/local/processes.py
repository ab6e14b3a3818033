"""Processes of the stack by pid file: which of them live, and ending those left behind.

A process is ours only if its command line names the stack's folder, because the system gives the
pid of a process that ended to any other.

Not here: what the processes do.
"""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

_POLL_SECONDS: Final = 0.02


def is_ours(pid: int, mark: str) -> bool:
    """Whether the process lives and its command line holds `mark`."""
    return mark in _command_line(pid)


def end(pid: int, mark: str, grace_seconds: float = 5) -> bool:
    """End the process if it is ours: politely, then by force. True if there was one to end."""
    if not is_ours(pid, mark):
        return False
    _send(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while is_ours(pid, mark):
        if time.monotonic() > deadline:
            _send(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            deadline = time.monotonic() + grace_seconds
        time.sleep(_POLL_SECONDS)
    return True


def end_orphans(folder: Path) -> bool:
    """End what the stack's server left behind when it was killed: rclone, and a connector.

    They are the processes named by pid files (`*.pid`) of the folder and of running syncs in it.
    True if there was one to end.
    """
    any_ended = False
    for pid_file in [*folder.glob("*.pid"), *folder.glob("work/*/*.pid")]:
        text = pid_file.read_text()
        any_ended |= text.isdigit() and end(int(text), str(folder))
        pid_file.unlink(missing_ok=True)
    return any_ended


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _command_line(pid: int) -> str:
    """The arguments of a living process; empty if it ended (also as a zombie)."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    listing = subprocess.run(
        ["ps", "-ww", "-p", str(pid), "-o", "command="],  # noqa: S607 - where it is differs
        capture_output=True,
        text=True,
        check=False,
    )
    return listing.stdout
