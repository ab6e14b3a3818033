"""Reads recorded records in place of a connector: `<stream>.jsonl` of a folder, one record a line.

For a source without a stand-in. The records are the same every night.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from veracitypro_pipeline.local.services.airbyte.connector import SyncError


class Replay:
    """Reads the records of a folder, as a connector reads those of a source."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(
        self,
        config: Mapping[str, Any],  # noqa: ARG002 - everything that was recorded is read
        schemas: Mapping[str, Mapping[str, Any]],
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the stream and the data of each record.

        Raises:
            SyncError: nothing was recorded of a stream, or a line is no JSON.
        """
        for stream in schemas:
            path = self._folder / f"{stream}.jsonl"
            try:
                with path.open(encoding="utf-8") as lines:
                    for line in lines:
                        yield stream, json.loads(line)
            except (OSError, ValueError) as error:
                raise SyncError(f"The recorded records {path} cannot be read: {error}") from error

    def check(self, config: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - nothing is asked
        return None if self._folder.is_dir() else f"There is no folder {self._folder}."

    def stop(self) -> None:
        """Nothing to end: reading takes no time."""
