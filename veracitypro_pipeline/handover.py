"""What one stage tells the next: small immutable values, stored as JSON beside the data.

Pure types without Dagster or I/O. The store that keeps them is `resources/handover_store.py`.
All instants are UTC.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

# In place of the job of a line that does not say who wrote it.
NO_SYNC_ID: Final = "none"
# In its place for a line with nothing in it, which is no record.
BLANK_LINE: Final = "blank"


def last_day_seen(began_at: datetime) -> date:
    """The last UTC day that was over when a sync began: the newest one that it has seen whole."""
    return began_at.astimezone(UTC).date() - timedelta(days=1)


class _Value(BaseModel):
    """A field that a newer version has added is left out, so that this one can be returned to."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SyncClaim(_Value):
    """The Airbyte job which serves an as-of day, written before the job is waited for.

    Grain: one per as-of day. A run that dies while Airbyte works finds the job by this claim and
    waits for it, instead of paying Keepa tokens for a second sync. `run_id` is the Dagster run that
    last wrote it, `started` says whether that run started the job, and so may cancel it.
    """

    as_of_date: date
    job_id: int
    run_id: str
    # Claims that were written before this field was there lack it.
    started: bool = False


class FinishedSync(_Value):
    """A sync that Airbyte reports as succeeded. Grain: one per Airbyte job.

    `as_of_date` is the last day that it has seen, `records` Airbyte's own figure.
    """

    as_of_date: date
    job_id: int
    records: int


class SyncReport(_Value):
    """What Airbyte says of the sync of one as-of day. Grain: one per as-of day.

    `records` and `size_bytes` are Airbyte's own figures, `seconds` the job's duration. `earlier`
    are the other syncs of the last days, whose files may have come after their day was loaded.
    """

    as_of_date: date
    job_id: int
    started_at: datetime
    records: int
    size_bytes: int
    seconds: float
    earlier: tuple[FinishedSync, ...] = ()


class LandedFile(_Value):
    """One object of the landing bucket as it was read. Grain: one per object version.

    `size_bytes` counts the compressed object, `lines` its lines after decompression; `sync_ids`
    maps an Airbyte job id to the lines that carry it, lines without one count under `NO_SYNC_ID`
    or `BLANK_LINE`.
    `damage` says why an object could not be read to its end, `arrived_at` when S3 got this version.

    A record is told from others by the id that Airbyte gives each. `repeated` counts lines whose
    record stands in the file before; `records_digest` is the same of files with the same records,
    in whatever order, and None if no line has an id.
    """

    key: str
    etag: str
    size_bytes: int
    lines: int
    sync_ids: dict[str, int]
    damage: str | None = None
    # An index that was written before these fields were there lacks them: the time until the next
    # listing, the records for good.
    arrived_at: datetime | None = None
    repeated: int = 0
    records_digest: str | None = None


class LandingManifest(_Value):
    """The files that belong to the sync of one run's day. Grain: one per day that was run.

    `as_of_date` is the last day that the sync has seen, and so that of its rows in RAW whichever
    run loads them: a day that is run again late is served by a sync of a later one.
    `gone` are keys of the sync's files that were read before and are not in the bucket any more.
    `earlier` are the manifests of the other syncs of the last days, as the bucket holds them now.
    """

    as_of_date: date
    job_id: int
    records_reported: int
    files: tuple[LandedFile, ...]
    gone: tuple[str, ...] = ()
    earlier: tuple["LandingManifest", ...] = ()

    @property
    def is_whole(self) -> bool:
        """Every record that Airbyte reports is one line of these files, and all can be read."""
        damaged = any(file.damage for file in self.files)
        return not damaged and self.lines == self.records == self.records_reported

    @property
    def copies(self) -> tuple[LandedFile, ...]:
        """Files that have the same records as one before them."""
        seen: set[str] = set()
        copies = []
        for file in self.files:
            if file.records_digest in seen:
                copies.append(file)
            elif file.records_digest is not None:
                seen.add(file.records_digest)
        return tuple(copies)

    @property
    def foreign_lines(self) -> dict[str, int]:
        """Lines in the files by the other sync that wrote them, `NO_SYNC_ID` or `BLANK_LINE`."""
        lines: dict[str, int] = {}
        for file in self.files:
            for sync, count in file.sync_ids.items():
                if sync != str(self.job_id):
                    lines[sync] = lines.get(sync, 0) + count
        return lines

    @property
    def records(self) -> int:
        """Different records of the sync in the files.

        A line that does not say who wrote it is broken, and counts as one.
        """
        copies = self.copies
        foreign = sum(count for sync, count in self.foreign_lines.items() if sync != NO_SYNC_ID)
        repeated = sum(file.repeated for file in self.files if file not in copies)
        return self.lines - foreign - repeated - sum(file.lines for file in copies)

    @property
    def loadable(self) -> tuple["LandingManifest", ...]:
        """What belongs in RAW: the day itself, and the earlier syncs that are whole."""
        return (self, *(sync for sync in self.earlier if sync.is_whole))

    @property
    def loadable_files(self) -> tuple[LandedFile, ...]:
        """The files of `loadable`, each once."""
        files = {file.key: file for sync in self.loadable for file in sync.files}
        return tuple(files.values())

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


class RefreshClaim(_Value):
    """The refresh which serves an as-of day, written before it is waited for, so that a further try
    of the step in the same Dagster run follows it instead of starting another. Grain: one per as-of
    day.

    `marts` has the content hash of each table when it was started.
    """

    as_of_date: date
    request_id: str
    run_id: str
    marts: dict[str, str] = {}


class RefreshReport(_Value):
    """The refresh of the Power BI dataset that shows an as-of day. Grain: one per as-of day.

    `rows` counts the MART tables that it read, `seconds` is Power BI's own figure. `skipped` says
    why the day needed no refresh of its own; the request is then the earlier one that shows it.
    """

    as_of_date: date
    request_id: str
    rows: int
    seconds: float
    skipped: str | None = None


class RefreshedMarts(_Value):
    """What the dataset's last good refresh has read, to see whether another would read the same.

    Grain: one. `marts` has the content hash of each table, `as_of_date` is the day whose run asked
    for the refresh.
    """

    marts: dict[str, str]
    request_id: str
    as_of_date: date


class LandingIndex(_Value):
    """Every object of the landing bucket by key, so that each is read once. Grain: a bucket.

    `lost` are objects that were read before and are gone now, or have another content. `unreadable`
    says of an object that S3 lists and does not give why; the next night asks again.
    """

    files: dict[str, LandedFile] = {}
    lost: tuple[LandedFile, ...] = ()
    unreadable: dict[str, str] = {}
