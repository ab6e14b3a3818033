"""What landing leaves: the files of a day, and all that the bucket held so far."""

from datetime import date, datetime
from typing import Final

from pydantic import Field

from veracitypro_pipeline.stage_values.value import StageValue

# In place of the job of a line that does not say who wrote it.
NO_SYNC_ID: Final = "none"
# In its place for a line with nothing in it, which is no record.
BLANK_LINE: Final = "blank"


class LandedFile(StageValue):
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


class LandingManifest(StageValue):
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


class LandingIndex(StageValue):
    """Every object of the landing bucket by key, so that each is read once. Grain: a bucket.

    `lost` are objects that were read before and are gone now, or have another content. `unreadable`
    says of an object that S3 lists and does not give why; the next night asks again.
    """

    files: dict[str, LandedFile] = Field(default_factory=dict)
    lost: tuple[LandedFile, ...] = ()
    unreadable: dict[str, str] = Field(default_factory=dict)
