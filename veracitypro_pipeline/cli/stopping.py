"""What a signal means to a command of `vp`: it is stopped, and that is no failure.

SIGINT (Ctrl+C), SIGTERM (a container or a service is stopped) and SIGHUP (the terminal is closed)
mean the same. A run takes its sync and its statements back, ends as `canceled`, and Slack calls
nobody for it. The exit code is 128 and the signal's number, as shells have it: 130, 143, 129.
A signal that was ignored when `vp` started, as `nohup` does with SIGHUP, stays ignored.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

STOPS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EXIT_CODE_BASE: Final = 128


# The signal that has stopped this process, once there is one.
_heard: list[signal.Signals] = []


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt in the main thread when one comes. For a process that is a command of
    `vp`."""
    for number in STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hang_up if number == signal.SIGHUP else _stop)


def name() -> str:
    """Of the signal, for people."""
    return "Ctrl+C" if _number() == signal.SIGINT else _number().name


def exit_code() -> int:
    return _EXIT_CODE_BASE + _number()


@contextmanager
def stops_heard() -> Iterator[Callable[[], bool]]:
    """Tells whether one has come within.

    By the file descriptor that Python writes signals to: handlers are Dagster's while a step is at
    work, and what a step makes of its exception is not told from a fault.
    """
    heard, told = socket.socketpair()
    with heard, told:
        heard.setblocking(False)
        told.setblocking(False)
        before = signal.set_wakeup_fd(told.fileno())

        def is_stopped() -> bool:
            try:
                numbers = heard.recv(1024, socket.MSG_PEEK)
            except BlockingIOError:
                return False
            stops = [signal.Signals(number) for number in numbers if number in STOPS]
            _heard[:] = _heard or stops[:1]
            return bool(stops)

        try:
            yield is_stopped
        finally:
            signal.set_wakeup_fd(before)


def _number() -> signal.Signals:
    return _heard[0] if _heard else signal.SIGINT


def _stop(number: int, _frame: FrameType | None) -> None:
    _heard[:] = _heard or [signal.Signals(number)]
    raise KeyboardInterrupt


def _hang_up(number: int, frame: FrameType | None) -> None:
    """As Ctrl+C at this moment: while a step is at work Dagster has handlers of its own in place of
    ours, of the other two signals only."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
