"""Runs the connector manifest with airbyte-cdk, as Airbyte's platform runs a source.

The connector is a process of its own that speaks the Airbyte protocol on its standard output.

Not here: what becomes of the records (`airbyte_destination.py`).
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

import yaml

STREAM: Final = "product_raw"
# Not the console script: it need not be on the PATH.
_ENTRY_POINT: Final = "from airbyte_cdk.cli.source_declarative_manifest import run; run()"
_LOGGED_LEVELS: Final = ("WARN", "ERROR", "FATAL")

log = logging.getLogger(__name__)


class SyncError(RuntimeError):
    """A sync cannot go on. The message is shown as the job's failure reason."""


def declared_schema(manifest: Path) -> dict[str, Any]:
    """The JSON schema that the manifest declares for the stream.

    Raises:
        SyncError: the manifest is missing, no YAML, or does not declare the stream inline.
    """
    try:
        document = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        streams = [_resolved(document, stream) for stream in document["streams"]]
        stream = next(stream for stream in streams if stream["name"] == STREAM)
        loader = _resolved(document, stream["schema_loader"])
        schema = _resolved(document, loader["schema"])
        return {**schema, "properties": _resolved(document, schema["properties"])}
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise SyncError(
            f"The connector manifest {manifest} declares no inline schema of the stream {STREAM}"
            f" ({type(error).__name__}: {error}): correct the file."
        ) from error


def source_config(
    tracked: Mapping[int, Sequence[str]], *, base_url: str, api_key: str
) -> dict[str, Any]:
    """The source's configuration, as the manifest's spec asks, for these ASINs by domain id."""
    return {
        "api_key": api_key,
        "base_url": base_url,
        "marketplaces": [
            {"domain_id": domain_id, "asins": list(asins)} for domain_id, asins in tracked.items()
        ],
        "rating": True,
        "buybox": True,
    }


class Connector:
    """One reading of the stream. `stop` may be called from another thread at any time."""

    def __init__(self, manifest: Path, folder: Path) -> None:
        """`folder` is private to this reading; it gets the configuration with the API key."""
        self._manifest = manifest
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the reading now; `read` then ends too."""
        with self._lock:
            self._is_stopped = True
            if self._process is not None:
                self._process.kill()

    def read(
        self, config: Mapping[str, Any], schema: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Yield the data of each record as it arrives.

        Raises:
            SyncError: the connector reported an error or crashed; raised after its last record.
        """
        error: str | None = None
        with self._started(config, schema) as process:
            assert process.stdout is not None
            for line in process.stdout:
                message = _message(line)
                kind = message.get("type")
                if kind == "RECORD" and message["record"]["stream"] == STREAM:
                    yield message["record"]["data"]
                elif kind == "TRACE" and message["trace"]["type"] == "ERROR":
                    error = error or str(message["trace"]["error"]["message"])
                elif kind == "LOG" and message["log"]["level"] in _LOGGED_LEVELS:
                    log.warning("connector: %s", _redacted(message["log"]["message"], config))
            exit_code = process.wait()
        if error is None and exit_code != 0:
            error = f"The connector ended with exit code {exit_code}: {self._last_error_line()}"
        if error is not None:
            raise SyncError(_redacted(error, config))

    @contextmanager
    def _started(
        self, config: Mapping[str, Any], schema: Mapping[str, Any]
    ) -> Iterator["subprocess.Popen[bytes]"]:
        files = {"config": config, "catalog": _catalog(schema)}
        arguments = ["read", "--manifest-path", str(self._manifest)]
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
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        (self._folder / "connector.pid").write_text(str(self._process.pid))
        with self._process as process:
            try:
                yield process
            finally:
                process.kill()

    def _last_error_line(self) -> str:
        lines = (self._folder / "stderr").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def _catalog(schema: Mapping[str, Any]) -> dict[str, Any]:
    stream = {
        "name": STREAM,
        "json_schema": schema,
        "supported_sync_modes": ["full_refresh"],
    }
    return {
        "streams": [
            {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
        ]
    }


def _message(line: bytes) -> dict[str, Any]:
    """The protocol message; empty for a line that is none, which Airbyte ignores too."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _redacted(text: str, config: Mapping[str, Any]) -> str:
    return text.replace(str(config["api_key"]), "****")


def _resolved(document: Any, value: Any) -> Any:
    """Follow `$ref: "#/a/b"`, alone or with other keys beside it, which then win."""
    if not isinstance(value, dict | str):
        return value
    reference = value.get("$ref") if isinstance(value, dict) else value
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return value
    target = document
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    target = _resolved(document, target)
    own = {k: v for k, v in value.items() if k != "$ref"} if isinstance(value, dict) else {}
    return {**target, **own}
