"""The command `dbt`, which ends with the run that started it.

`python -m veracitypro_pipeline.resources.dbt.process RUN_PID ARGUMENT...`, by our interpreter, so
that no `dbt` need be on the PATH. In a process of its own: a crash of dbt, or a database lock that
it holds, ends with the process.
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

# dbt creates millions of small objects and few cycles: a tenth of its time went into looking for
# these. New objects between two collections; Python's default is 700.
_GARBAGE_THRESHOLD: Final = 50_000
# How long an interrupted dbt may take to cancel its statements. Dagster waits 25 seconds.
LAST_SECONDS: Final = 5.0
_WATCH_SECONDS: Final = 0.5
_INTERRUPTED: Final = 130


def command(*arguments: str) -> list[str]:
    """The command line of a dbt that ends with this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *arguments]


def _main(run_pid: int, arguments: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, _end_soon)
    threading.Thread(target=_end_with_the_run, args=[run_pid], daemon=True).start()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    from dbt.cli.main import cli

    cli(arguments)


def _end_soon(_signal: int, _frame: object) -> None:
    """dbt waits for its models, and DuckDB's cannot be canceled: limit the wait."""
    last = threading.Timer(LAST_SECONDS, os._exit, [_INTERRUPTED])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def _end_with_the_run(run_pid: int) -> None:
    """A run that is killed cannot end dbt, which would keep the warehouse from the next run."""
    while os.getppid() == run_pid:
        time.sleep(_WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
