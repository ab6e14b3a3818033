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


class SyncReport(_Value):
    """What Airbyte says of the sync of one as-of day. Grain: one per as-of day.

    `records` and `size_bytes` are Airbyte's own figures, `seconds` the job's duration.
    """

    as_of_date: date
    job_id: int
    started_at: datetime
    records: int
    size_bytes: int
    seconds: float


class LandedFile(_Value):
    """One object of the landing bucket as it was read. Grain: one per object version.

    `size_bytes` counts the compressed object, `lines` its lines after decompression; `sync_ids`
    maps an Airbyte job id to the lines that carry it, lines without one count under "none".
    `damage` says why an object could not be read to its end.
    """

    key: str
    etag: str
    size_bytes: int
    lines: int
    sync_ids: dict[str, int]
    damage: str | None = None


class LandingManifest(_Value):
    """The files that belong to the sync of one as-of day. Grain: one per as-of day."""

    as_of_date: date
    job_id: int
    records_reported: int
    files: tuple[LandedFile, ...]

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
    """Every landing object read so far, by key, so that each is read once. Grain: a bucket."""

    files: dict[str, LandedFile] = {}
