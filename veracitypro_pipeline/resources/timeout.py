"""A time limit for a whole call.

The timeouts of HTTP libraries limit each read from the socket: a server that sends one byte a
second never exceeds them.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Run the call in a thread and return its result.

    The thread of a timed-out call keeps running until the service answers; its result is discarded.

    Raises:
        TimeoutError: the call has not ended after `seconds`. Whatever the call raises.
    """
    outcome: Future[Result] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:
            outcome.set_exception(error)

    # A daemon thread does not keep the process alive.
    threading.Thread(target=work, name="call", daemon=True).start()
    return outcome.result(seconds)
