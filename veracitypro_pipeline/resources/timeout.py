"""An end to a call, whatever the service does.

The time-outs of HTTP libraries are for one answer of the network: a server that sends a byte each
second keeps to all of them, for hours.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What the call returns or raises, if it does so in time.

    A call that is given up goes on beside the process until its service lets go of it, and what it
    comes to is nobody's.

    Raises:
        TimeoutError: it has not ended in time.
    """
    outcome: Future[Result] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon: it holds up no end of the process.
    threading.Thread(target=work, name="call", daemon=True).start()
    return outcome.result(seconds)
