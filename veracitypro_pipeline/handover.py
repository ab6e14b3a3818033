"""What one stage tells the next: small immutable values, stored as JSON beside the data.

Pure types without Dagster or I/O. The store that keeps them is `resources/handover_store.py`.
All instants are UTC.
"""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SyncClaim(_Value):
    """The Airbyte job which serves an as-of day, written before the job is waited for.

    Grain: one per as-of day. A run that dies while Airbyte works finds the job by this claim and
    waits for it, instead of paying Keepa tokens for a second sync. `run_id` is the Dagster run that
    made it.
    """

    as_of_date: date
    job_id: int
    run_id: str


class FinishedSync(_Value):
    """A sync that Airbyte reports as succeeded. Grain: one per Airbyte job.

    `as_of_date` is the last UTC day that was over when it began, `records` Airbyte's own figure.
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
    maps an Airbyte job id to the lines that carry it, lines without one count under "none".
    `damage` says why an object could not be read to its end, `arrived_at` when S3 got this version.
    """

    key: str
    etag: str
    size_bytes: int
    lines: int
    sync_ids: dict[str, int]
    damage: str | None = None
    # An index that was written before this field was there lacks it until the next listing.
    arrived_at: datetime | None = None


class LandingManifest(_Value):
    """The files that belong to the sync of one as-of day. Grain: one per as-of day.

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
        """Every record that Airbyte reports is a line of these files, and all can be read."""
        damaged = any(file.damage for file in self.files)
        return not damaged and self.lines == self.records_reported

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

    `lost` are objects that were read before and are gone now, or have another content.
    """

    files: dict[str, LandedFile] = {}
    lost: tuple[LandedFile, ...] = ()
