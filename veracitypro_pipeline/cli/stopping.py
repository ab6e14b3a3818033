"""Signals that stop a command of `vp`. A stop is not a failure.

SIGINT (Ctrl+C), SIGTERM (a stopped container or service) and SIGHUP (a closed terminal) have the
same effect. A run cancels its sync and its statements and ends as `canceled`, and Slack mentions no
one. The exit code is 128 plus the signal's number, as in shells: 130, 143, 129. A signal that was
ignored when `vp` started, as SIGHUP is under `nohup`, stays ignored.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXIT_CODE_BASE: Final = 128


# The first signal that stopped this process, if any.
_received: list[signal.Signals] = []


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt in the main thread when a stop signal arrives."""
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hang_up if number == signal.SIGHUP else _stop)


def name() -> str:
    """The name of the signal, as printed."""
    return "Ctrl+C" if _number() == signal.SIGINT else _number().name


def exit_code() -> int:
    return _EXIT_CODE_BASE + _number()


@contextmanager
def watched_stops() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether a stop signal has arrived within this context.

    It reads Python's wake-up file descriptor. Handlers would not do: while a step runs they are
    Dagster's, and the exception they raise in a step looks like any other failure.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())

        def is_stopped() -> bool:
            try:
                numbers = reader.recv(1024, socket.MSG_PEEK)
            except BlockingIOError:
                return False
            stops = [signal.Signals(number) for number in numbers if number in STOPS]
            _received[:] = _received or stops[:1]
            return bool(stops)

        try:
            yield is_stopped
        finally:
            signal.set_wakeup_fd(before)


def _number() -> signal.Signals:
    return _received[0] if _received else signal.SIGINT


def _stop(number: int, _frame: FrameType | None) -> None:
    _received[:] = _received or [signal.Signals(number)]
    raise KeyboardInterrupt


def _hang_up(number: int, frame: FrameType | None) -> None:
    """Calls the current handler of SIGINT: while a step runs, Dagster replaces our handlers of
    SIGINT and SIGTERM, but not that of SIGHUP."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
