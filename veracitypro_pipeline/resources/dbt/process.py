"""dbt in a process of its own, made ready before it is needed.

A build of a small night takes some ten seconds, and in three of them dbt imports itself and reads
the project. A process that is started when the run begins does that while Airbyte syncs, then
waits for its arguments: one line of JSON on standard input.

With our interpreter, so that no `dbt` need be on the PATH. A crash of dbt, or a database lock that
it holds, ends with the process; and the process ends with the run that started it, even if that is
killed: then its standard input ends.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_NODE_FAILED: Final = 1
_DBT_FAILED: Final = 2
# dbt makes some millions of small objects and few cycles: a tenth of its time went into looking for
# these. New objects between two looks; Python's own number is 700.
_GARBAGE_THRESHOLD: Final = 50_000
# What an interrupted dbt has to take its statements back from the warehouse. Dagster waits 25.
_LAST_SECONDS: Final = 5.0
_INTERRUPTED: Final = 130


class DbtProcess:
    """A dbt that waits for its arguments."""

    def __init__(self, env: Mapping[str, str], project_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            env=dict(env),
            cwd=project_dir,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._has_arguments = False

    def run(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Let it run; the process then is as one of the command `dbt`."""
        assert self._process.stdin is not None
        self._has_arguments = True
        # A dbt that has died meanwhile has said why, and whoever reads its output sees that.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(list(arguments)).encode() + b"\n")
            self._process.stdin.flush()
        return self._process

    def end(self) -> None:
        """It is not needed any more. One at work takes its statements back first."""
        self._process.send_signal(signal.SIGINT if self._has_arguments else signal.SIGKILL)
        # Reads what nobody reads any more, for it not to wait with a full pipe; and its standard
        # input ends, which stops one that was interrupted before it listened.
        self._process.communicate()


def _serve() -> int:
    """Be such a process; returns the exit code that the command `dbt` has."""
    from dbt.cli.main import dbtRunner

    # A project that cannot be read is read again below, where dbt says what is wrong with it.
    manifest = dbtRunner().invoke(["--log-level", "none", "parse", "--no-write-json"]).result
    line = sys.stdin.readline()
    if not line:
        return 0
    signal.signal(signal.SIGINT, _end_soon)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    outcome = dbtRunner(manifest=manifest).invoke(json.loads(line))  # type: ignore[arg-type]
    if outcome.success:
        return 0
    return _NODE_FAILED if outcome.exception is None else _DBT_FAILED


def _end_soon(_signal: int, _frame: object) -> None:
    """dbt ends by itself once its models do; one of them may be far from it."""
    last = threading.Timer(_LAST_SECONDS, os._exit, [_INTERRUPTED])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def _end_with_the_run() -> None:
    """Nothing more is written to standard input: it ends when the run's process does."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    gc.set_threshold(_GARBAGE_THRESHOLD)
    sys.exit(_serve())
