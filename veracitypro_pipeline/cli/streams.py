"""Standard output and error of `vp`, which may fail at any time.

A pager or `| head` closes the pipe, or a disk is full. A command that only shows something then
ends. A run goes on, because its purpose is the tables.
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

# The exit code of a command that wrote to a closed pipe, as in shells: 128 + SIGPIPE.
CLOSED_PIPE: Final = 141
# The name of the error handler `_escaped`.
_ESCAPED: Final = "vp_escaped"


T = TypeVar("T")


class OutputLostError(OSError):
    """Standard output cannot be written any more. The message is a sentence."""

    @property
    def is_closed_pipe(self) -> bool:
        """Whether the reader closed it, which is not a fault."""
        return isinstance(self.__cause__, BrokenPipeError)


class _Output(io.TextIOWrapper):
    """Standard output with an error class of its own."""

    def write(self, text: str, /) -> int:
        return self._try(lambda: super(_Output, self).write(text))

    def flush(self) -> None:
        self._try(super().flush)

    def _try(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except OSError as error:
            # Otherwise the rest of the buffer would fail again when Python exits.
            _redirect_to_devnull(self.fileno())
            raise OutputLostError(
                f"Standard output cannot be written: {error.strerror}."
            ) from error


class _Messages(io.TextIOWrapper):
    """Standard error, whose write errors are ignored."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def guard_streams() -> None:
    """Replace `sys.stdout` and `sys.stderr`, once, when a command starts."""
    sys.stdout = _like(_Output, sys.stdout)
    sys.stderr = _like(_Messages, sys.stderr)


@contextmanager
def output_may_be_lost() -> Iterator[None]:
    """Ignore the loss of what is printed in this context."""
    try:
        yield
    except OutputLostError as lost:
        if not lost.is_closed_pipe:
            sys.stderr.write(f"vp: {lost}\n")


class _Lossy(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def lossy_file(path: Path) -> TextIO:
    """A log file, opened to append; what does not fit on the disk is dropped."""
    binary = io.BufferedWriter(_Lossy(path, "ab"))
    return io.TextIOWrapper(binary, encoding="utf-8", line_buffering=True)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Replaces characters that the encoding lacks by JSON escapes, so that a JSON document stays
    valid."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escaped)


def _like(kind: type[io.TextIOWrapper], stream: Any) -> Any:
    """A stream of that kind on the same file; a stream that is None or replaced stays."""
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


def _redirect_to_devnull(descriptor: int) -> None:
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, descriptor)
    os.close(devnull)
