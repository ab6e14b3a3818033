"""The sync jobs of the local Airbyte, kept in a file with one record per job."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, NonNegativeInt, PositiveInt

from veracitypro_pipeline.local.private_files import read_json, write_json

Status = Literal["running", "succeeded", "failed", "cancelled"]
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"


class SyncRunningError(RuntimeError):
    """A sync is running already; a connection runs one at a time."""


@dataclass
class Job:
    """One sync. Instants are UTC of the stack's clock; rows and bytes count what is in S3."""

    job_id: PositiveInt
    inputs: str  # Fingerprint of the payloads to fetch.
    started_at: AwareDatetime
    updated_at: AwareDatetime
    status: Status = RUNNING
    rows: NonNegativeInt = 0
    bytes: NonNegativeInt = 0
    failure_reason: str | None = None
    # By name. Jobs that were recorded before this field are Keepa's.
    source: str = "keepa"

    @property
    def as_of_date(self) -> date:
        """The last UTC day that had ended when the sync began."""
        return self.started_at.date() - timedelta(days=1)


class JobStore:
    """The jobs of all connections, oldest first. Safe to use from several threads."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        """Read the file; a job that was running when the stack stopped becomes failed.

        Raises:
            DamagedFileError: the file is damaged. It cannot be started over, because files in S3
                carry its job ids.
        """
        self._path = path
        self._now = now
        self._lock = threading.RLock()
        self._jobs = read_json(path, Jobs) or []
        for job in self._jobs:
            if job.status == RUNNING:
                # Keep its last update as its end: the clock may have been set since.
                job.status = FAILED
                job.failure_reason = "The local stack was stopped while the sync ran."
                self._write()

    def start(self, source: str, inputs: str) -> Job:
        """Record a new running job of a source.

        Raises:
            SyncRunningError: one of the source is running.
        """
        with self._lock:
            if self.running(source) is not None:
                raise SyncRunningError
            now = self._now()
            job = Job(len(self._jobs) + 1, inputs, now, now, source=source)
            self._jobs.append(job)
            self._write()
            return job

    def finish(self, job: Job, status: Status, failure_reason: str | None = None) -> None:
        """End a running job; a job that has ended is left unchanged."""
        with self._lock:
            if job.status != RUNNING:
                return
            job.status, job.failure_reason, job.updated_at = status, failure_reason, self._now()
            self._write()

    def progress(self, job: Job, rows: int, size_bytes: int) -> None:
        """Add the rows and bytes written to S3 since the last call."""
        with self._lock:
            job.rows += rows
            job.bytes += size_bytes
            job.updated_at = self._now()
            self._write()

    def running(self, source: str) -> Job | None:
        return next((job for job in self.newest_first(source) if job.status == RUNNING), None)

    def get(self, job_id: int) -> Job | None:
        with self._lock:
            return self._jobs[job_id - 1] if 1 <= job_id <= len(self._jobs) else None

    def newest_first(self, source: str | None = None) -> list[Job]:
        """The jobs of a source, or of all."""
        with self._lock:
            return [job for job in self._jobs[::-1] if source in (None, job.source)]

    def _write(self) -> None:
        write_json(self._path, [_to_json(job) for job in self._jobs])


def _in_order(jobs: list[Job]) -> list[Job]:
    """The jobs, if their ids count up from 1: a job is looked up by its position."""
    if [job.job_id for job in jobs] != list(range(1, len(jobs) + 1)):
        raise ValueError("a job is missing or out of its order")
    return jobs


# The format of the file.
Jobs = Annotated[list[Job], AfterValidator(_in_order)]


def _to_json(job: Job) -> dict[str, Any]:
    times = {"started_at": job.started_at.isoformat(), "updated_at": job.updated_at.isoformat()}
    return asdict(job) | times
