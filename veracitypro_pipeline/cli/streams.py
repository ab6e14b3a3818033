"""Standard output and error of `vp`, which may go away while it is at work.

A pager is closed, `| head` has seen enough, a disk is full. A command that only shows something
ends then. A run goes on: it is for the tables, and its output is for people.
"""

import codecs
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TextIO, TypeVar

# What a shell says of a command that wrote into a closed pipe: 128 + SIGPIPE.
CLOSED_PIPE: Final = 141
# The name by which a stream knows `_escaped`.
_ESCAPED: Final = "vp_escaped"


T = TypeVar("T")


class OutputLost(OSError):
    """Standard output takes nothing any more. The message is a sentence."""

    @property
    def is_closed_pipe(self) -> bool:
        """Whether its reader went away, which is no fault."""
        return isinstance(self.__cause__, BrokenPipeError)


class _Output(io.TextIOWrapper):
    """Standard output whose errors are told from those of other files and of connections."""

    def write(self, text: str, /) -> int:
        return self._try(lambda: super(_Output, self).write(text))

    def flush(self) -> None:
        self._try(super().flush)

    def _try(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except OSError as error:
            # What is still in a buffer must not fail once more when Python ends.
            _lead_nowhere(self.fileno())
            raise OutputLost(f"Standard output cannot be written: {error.strerror}.") from error


class _Messages(io.TextIOWrapper):
    """Standard error, which is written if it can be."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def guard_streams() -> None:
    """Put these in place of Python's own, once, when the command begins."""
    sys.stdout = _like(_Output, sys.stdout)
    sys.stderr = _like(_Messages, sys.stderr)


@contextmanager
def for_whoever_reads() -> Iterator[None]:
    """What is printed within is no part of the work: it may get lost."""
    try:
        yield
    except OutputLost as lost:
        if not lost.is_closed_pipe:
            sys.stderr.write(f"vp: {lost}\n")


class _Lossy(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def lossy_file(path: Path) -> TextIO:
    """A log to append to, which takes what there is room for."""
    binary = io.BufferedWriter(_Lossy(path, "ab"))
    return io.TextIOWrapper(binary, encoding="utf-8", line_buffering=True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a terminal does not have, e.g. one of ASCII: an escape, as in
    JSON, so that a document stays one."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escaped)


def _like(kind: type[io.TextIOWrapper], stream: Any) -> Any:
    """A stream of that kind on the same file; None stays, where a process has no such stream."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    binary: IO[bytes] = open(stream.fileno(), "wb", closefd=False)  # noqa: SIM115
    return kind(
        binary,
        encoding=stream.encoding,
        errors=_ESCAPED,
        newline=None,
        line_buffering=stream.line_buffering,
    )


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
