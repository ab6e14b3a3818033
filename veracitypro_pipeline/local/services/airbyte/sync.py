"""Runs the sync jobs of the local Airbyte in the background: from the connector to S3."""

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.local.played_day import PlaybackError
from veracitypro_pipeline.local.services.airbyte.connector import SyncError
from veracitypro_pipeline.local.services.airbyte.destination import Bucket, S3Destination
from veracitypro_pipeline.local.services.airbyte.jobs import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    Job,
    JobStore,
    Status,
)
from veracitypro_pipeline.local.sources.keepa.products import PayloadError
from veracitypro_pipeline.sources.connector import SourceError, declared_schema
from veracitypro_pipeline.sources.source import Source

log = logging.getLogger(__name__)


class Reader(Protocol):
    """One use of what reads a source; `stop` may be called from another thread at any time."""

    def read(
        self, config: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the stream and the data of each record; schemas are by stream.

        Raises:
            SyncError: the source cannot be read to its end.
        """

    def check(self, config: Mapping[str, Any]) -> str | None:
        """Why the source cannot be reached with this configuration; None if it can."""

    def stop(self) -> None:
        """End the reading now."""


@dataclass(frozen=True)
class Connection:
    """A source, its destination and connection, as Airbyte would store them.

    `source_config` is called for each sync; `inputs` is the fingerprint of what that sync fetches.
    `reader` returns a reader that may use the folder. `buckets` are by stream.
    """

    source: Source
    manifest: Path
    source_config: Callable[[], Mapping[str, Any]]
    inputs: Callable[[], str]
    reader: Callable[[Path], Reader]
    buckets: Mapping[str, Bucket]


class Syncs:
    """Starts and stops the jobs of one connection."""

    def __init__(
        self, connection: Connection, jobs: JobStore, now: Callable[[], datetime], folder: Path
    ) -> None:
        """`folder` holds the temporary files of running syncs."""
        self.jobs = jobs
        self.connection = connection
        self._now = now
        self._folder = folder
        self._readers: dict[int, Reader] = {}

    def start(self) -> Job:
        """Record a job and run it in the background.

        Raises:
            SyncRunningError: a sync is running already.
        """
        job = self.jobs.start(self.connection.source.name, self.connection.inputs())
        folder = tempfile.TemporaryDirectory(dir=self._folder, prefix=f"job-{job.job_id}-")
        reader = self.connection.reader(Path(folder.name))
        self._readers[job.job_id] = reader

        def work() -> None:
            with folder:
                self._run(job, reader, Path(folder.name))
            del self._readers[job.job_id]

        threading.Thread(target=work, name=f"sync-{job.job_id}", daemon=True).start()
        return job

    def check_source(self) -> str | None:
        """The error if the connector cannot reach its source, else None. Takes seconds."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="check-") as folder:
            try:
                return self.connection.reader(Path(folder)).check(self.connection.source_config())
            except (SyncError, PayloadError, PlaybackError) as error:
                return str(error)

    def cancel(self, job: Job) -> None:
        """Cancel a job; a job that has ended is left unchanged."""
        self._end(job, CANCELLED, None)

    def shut_down(self) -> None:
        """Fail the running job, because the stack stops."""
        if job := self.jobs.running(self.connection.source.name):
            self._end(job, FAILED, "The local stack was stopped while the sync ran.")

    def _end(self, job: Job, status: Status, reason: str | None) -> None:
        # Set the status first, so that the error of the stopped connector does not.
        self.jobs.finish(job, status, reason)
        if reader := self._readers.get(job.job_id):
            reader.stop()

    def _run(self, job: Job, reader: Reader, folder: Path) -> None:
        connection = self.connection
        try:
            schemas = {
                stream.name: declared_schema(connection.manifest, stream)
                for stream in connection.source.streams
            }
            with ExitStack() as stack:
                destinations = {
                    name: stack.enter_context(
                        S3Destination(
                            connection.buckets[name],
                            sync_id=job.job_id,
                            started_at=job.started_at,
                            columns=frozenset(schema["properties"]),
                            on_part=lambda rows, size: self.jobs.progress(job, rows, size),
                            folder=folder,
                        )
                    )
                    for name, schema in schemas.items()
                }
                for name, record in reader.read(connection.source_config(), schemas):
                    destinations[name].write(record, self._now())
        except (SyncError, SourceError, PayloadError, PlaybackError) as error:
            self.jobs.finish(job, FAILED, str(error))
        except Exception as error:
            # Airbyte reports every error of a sync as the failure reason of the job.
            log.exception("sync %s failed", job.job_id)
            reason = full_disk.message_of(error) or f"{type(error).__name__}: {error}"
            self.jobs.finish(job, FAILED, reason)
        else:
            self.jobs.finish(job, SUCCEEDED)
