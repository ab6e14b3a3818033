"""Finds the stack's processes by their command lines, and ends them.

Each command line names the stack's folder, which identifies the process as ours. A pid file could
be stale, and the system may have given the pid to another process.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVER_MODULE: Final = "veracitypro_pipeline.local.stack.server"
STOP_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.05
_PROC: Final = Path("/proc")


def is_server(pid: int, folder: Path) -> bool:
    """Whether the process runs and is the server of this stack."""
    return _server(folder) in _command_line(pid)


def end_server(folder: Path) -> bool:
    """End every server of this stack; return whether there was one."""
    return _end(_server(folder))


def end_children(folder: Path) -> bool:
    """End the rclone and connector that a killed server left; return whether there was one."""
    return _end(rclone(folder), connector(folder))


def rclone(folder: Path) -> str:
    """The part of a command line that identifies this stack's rclone."""
    return f" serve s3 {folder / 's3'} "


def connector(folder: Path) -> str:
    """The part of a command line that identifies a connector of this stack."""
    return f" --config {folder / 'work'}/"


def find(*marks: str) -> list[int]:
    """The pids of other processes whose command lines contain one of these marks."""
    return [
        pid
        for pid, line in _command_lines()
        if pid != os.getpid() and any(mark in line for mark in marks)
    ]


def _server(folder: Path) -> str:
    return f"{SERVER_MODULE} {folder} "


def _end(*marks: str) -> bool:
    """End matching processes, by SIGTERM and then SIGKILL; return whether there were any."""
    pids = find(*marks)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in find(*marks):
            _send(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while find(*marks) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    return bool(pids)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _command_lines() -> Iterator[tuple[int, str]]:
    """Pid and command line of every running process."""
    if (_PROC / "self").exists():
        for entry in _PROC.iterdir():
            if entry.name.isdecimal():
                yield int(entry.name), _command_line(int(entry.name))
        return
    for line in _ps("-ax", "pid=,command=").splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), f"{command} "


def _command_line(pid: int) -> str:
    """The command line of a process; empty if it has ended, also of a zombie."""
    if not (_PROC / "self").exists():
        return _ps("-p", str(pid), "command=").strip() + " "
    try:
        line = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(line.replace(b"\0", b" "))


def _ps(*selection: str) -> str:
    *which, columns = selection
    command = ["ps", "-ww", *which, "-o", columns]
    return os.fsdecode(subprocess.run(command, capture_output=True, check=False).stdout)
