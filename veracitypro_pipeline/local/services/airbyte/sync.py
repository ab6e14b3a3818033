"""Runs the sync jobs of the local Airbyte in the background: from the connector to S3."""

import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.local.played_day import PlaybackError
from veracitypro_pipeline.local.services.airbyte.connector import Connector, SyncError
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
from veracitypro_pipeline.resources.airbyte_source import SourceError, declared_schema

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Connection:
    """Source, destination and connection, as Airbyte would store them.

    `source_config` is called for each sync; `inputs` is the fingerprint of what that sync fetches.
    """

    manifest: Path
    source_config: Callable[[], Mapping[str, Any]]
    inputs: Callable[[], str]
    bucket: Bucket


class Syncs:
    """Starts and stops the jobs of one connection."""

    def __init__(
        self, connection: Connection, jobs: JobStore, now: Callable[[], datetime], folder: Path
    ) -> None:
        """`folder` holds the temporary files of running syncs."""
        self.jobs = jobs
        self._connection = connection
        self._now = now
        self._folder = folder
        self._connectors: dict[int, Connector] = {}

    def start(self) -> Job:
        """Record a job and run it in the background.

        Raises:
            SyncRunningError: a sync is running already.
        """
        job = self.jobs.start(self._connection.inputs())
        folder = tempfile.TemporaryDirectory(dir=self._folder, prefix=f"job-{job.job_id}-")
        connector = Connector(self._connection.manifest, Path(folder.name))
        self._connectors[job.job_id] = connector

        def work() -> None:
            with folder:
                self._run(job, connector, Path(folder.name))
            del self._connectors[job.job_id]

        threading.Thread(target=work, name=f"sync-{job.job_id}", daemon=True).start()
        return job

    def check_source(self) -> str | None:
        """The error if the connector cannot reach its source, else None. Takes seconds."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="check-") as folder:
            try:
                return Connector(self._connection.manifest, Path(folder)).check(
                    self._connection.source_config()
                )
            except (SyncError, PayloadError, PlaybackError) as error:
                return str(error)

    def cancel(self, job: Job) -> None:
        """Cancel a job; a job that has ended is left unchanged."""
        self._end(job, CANCELLED, None)

    def shut_down(self) -> None:
        """Fail the running job, because the stack stops."""
        if job := self.jobs.running():
            self._end(job, FAILED, "The local stack was stopped while the sync ran.")

    def _end(self, job: Job, status: Status, reason: str | None) -> None:
        # Set the status first, so that the error of the stopped connector does not.
        self.jobs.finish(job, status, reason)
        if connector := self._connectors.get(job.job_id):
            connector.stop()

    def _run(self, job: Job, connector: Connector, folder: Path) -> None:
        try:
            schema = declared_schema(self._connection.manifest)
            destination = S3Destination(
                self._connection.bucket,
                sync_id=job.job_id,
                started_at=job.started_at,
                columns=frozenset(schema["properties"]),
                on_part=lambda rows, size: self.jobs.progress(job, rows, size),
                folder=folder,
            )
            with destination:
                for record in connector.read(self._connection.source_config(), schema):
                    destination.write(record, self._now())
        except (SyncError, SourceError, PayloadError, PlaybackError) as error:
            self.jobs.finish(job, FAILED, str(error))
        except Exception as error:
            # Airbyte reports every error of a sync as the failure reason of the job.
            log.exception("sync %s failed", job.job_id)
            reason = full_disk.message_of(error) or f"{type(error).__name__}: {error}"
            self.jobs.finish(job, FAILED, reason)
        else:
            self.jobs.finish(job, SUCCEEDED)
