"""Captures the output of `vp run` where the Dagster UI reads it.

Dagster's own manager starts two processes per run, which repeat the output on the terminal. Here
the output goes to the run's file and to where it went before.
"""

import io
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import (
    IO_TYPE_EXTENSION,
    LocalComputeLogManager,
)
from dagster._serdes import ConfigurableClassData


class RunOutput(LocalComputeLogManager):
    """The class for `compute_logs` in `dagster.yaml`; its files are where Dagster's own manager
    puts them."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "RunOutput":
        # The default of `dagster dev` for the same instance.
        return cls(base_dir=str(Path(config_value["base_dir"]) / "storage"), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        out, err = (
            Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]))
            for kind in (ComputeIOType.STDOUT, ComputeIOType.STDERR)
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        err.touch()
        with out.open("a", encoding="utf-8") as file, redirect_stdout(_Both(file, sys.stdout)):
            yield CapturedLogContext(log_key)
        Path(self.get_captured_local_path(log_key, "complete")).touch()


class _Both(io.TextIOBase):
    """Writes to two files; the first is flushed at once, so that it can be followed."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self._first, self._second = first, second

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._first.write(text)
        self._first.flush()
        return self._second.write(text)

    def flush(self) -> None:
        self._second.flush()
