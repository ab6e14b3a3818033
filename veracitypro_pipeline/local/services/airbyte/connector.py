"""Runs the connector manifest with airbyte-cdk, as Airbyte's platform runs a source.

The connector is a process that writes messages of the Airbyte protocol to its standard output.
"""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.settings import inherited_environment

# Not the console script: it need not be on the PATH.
_ENTRY_POINT: Final = "from airbyte_cdk.cli.source_declarative_manifest import run; run()"
_LOGGED_LEVELS: Final = ("WARN", "ERROR", "FATAL")

log = logging.getLogger(__name__)


class SyncError(RuntimeError):
    """A sync cannot go on. The message is shown as the job's failure reason."""


class Connector:
    """One run of the connector. Another thread can call `stop` at any time."""

    def __init__(self, manifest: Path, secrets: Sequence[str], folder: Path) -> None:
        """`folder` belongs to this run; the configuration with its `secrets` is written to it."""
        self._manifest = manifest
        self._secrets = secrets
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Kill the connector; `read` then ends too."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()

    def read(
        self, config: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the stream and the data of each record; schemas are by stream.

        Raises:
            SyncError: the connector reported an error or crashed; raised after the last record.
        """
        error: str | None = None
        with self._started("read", {"config": config, "catalog": _catalog(schemas)}) as process:
            assert process.stdout is not None
            for line in process.stdout:
                message = _message(line)
                kind = message.get("type")
                if kind == "RECORD" and message["record"]["stream"] in schemas:
                    yield message["record"]["stream"], message["record"]["data"]
                elif kind == "TRACE" and message["trace"]["type"] == "ERROR":
                    error = error or str(message["trace"]["error"]["message"])
                elif kind == "LOG" and message["log"]["level"] in _LOGGED_LEVELS:
                    log.warning("connector: %s", self._masked(message["log"]["message"], config))
            exit_code = process.wait()
        if error is None and exit_code != 0:
            error = f"The connector ended with exit code {exit_code}: {self._last_error_line()}"
        if error is not None:
            raise SyncError(self._masked(error, config))

    def check(self, config: Mapping[str, Any]) -> str | None:
        """The error if the source cannot be reached with this configuration, else None."""
        with self._started("check", {"config": config}) as process:
            assert process.stdout is not None
            messages = [_message(line) for line in process.stdout]
        said = [one for one in messages if one.get("type") == "CONNECTION_STATUS"]
        if not said:
            return f"The connector ended without an answer: {self._last_error_line()}"
        status = said[-1]["connectionStatus"]
        if status["status"] == "SUCCEEDED":
            return None
        return self._masked(str(status.get("message") or "no reason given"), config)

    @contextmanager
    def _started(
        self, command: str, files: Mapping[str, Mapping[str, Any]]
    ) -> Iterator["subprocess.Popen[bytes]"]:
        arguments = [command, "--manifest-path", str(self._manifest)]
        for name, value in files.items():
            file = self._folder / f"{name}.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(value))
            arguments += [f"--{name}", str(file)]
        with self._lock, (self._folder / "stderr").open("wb") as stderr:
            if self._is_stopped:
                raise SyncError("The sync was stopped before it began.")
            self._process = subprocess.Popen(
                [sys.executable, "-c", _ENTRY_POINT, *arguments],
                cwd=self._folder,
                env=inherited_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        with self._process as process:
            try:
                yield process
            finally:
                process.kill()

    def _masked(self, text: str, config: Mapping[str, Any]) -> str:
        return masked(text, [str(config[name]) for name in self._secrets])

    def _last_error_line(self) -> str:
        lines = (self._folder / "stderr").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _catalog(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "streams": [
            {
                "stream": {
                    "name": name,
                    "json_schema": schema,
                    "supported_sync_modes": ["full_refresh"],
                },
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
            for name, schema in schemas.items()
        ]
    }


def _message(line: bytes) -> dict[str, Any]:
    """The protocol message of a line; empty for any other line, which Airbyte ignores too."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
