"""From a bucket listing to the files of one sync. Pure: no Dagster, no S3.

A file is recognised by what is in it, the sync id that Airbyte writes into every line, never by its
name or time: an interrupted attempt leaves files too, and they may arrive late.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.stage_values.landing import (
    BLANK_LINE,
    NO_SYNC_ID,
    LandedFile,
    LandingIndex,
    LandingManifest,
)
from veracitypro_pipeline.stage_values.sync import (
    FinishedSync,
    SyncReport,
    last_day_seen,
)

# In `_airbyte_meta`; read by bytes, because a line can be 1 MB and need not be valid JSON. The
# number may be quoted.
_SYNC_ID: Final = re.compile(rb'"sync_id"\s*:\s*"?(\d+)')
_RECORD_ID: Final = re.compile(rb'"_airbyte_raw_id"\s*:\s*"([^"\\]{1,100})"')
# A file is of one sync; what has more than a few is none, and would swell the index.
_SYNCS_PER_FILE: Final = 100
_DIGEST_BYTES: Final = 16
# The envelope is written before the data, so that a product cannot pretend to be one.
_ENVELOPE_BYTES: Final = 2_000


def sync_id_of(line: bytes) -> str:
    """The Airbyte job that wrote a line, or `NO_SYNC_ID`."""
    found = _in_envelope(_SYNC_ID, line)
    return found.decode() if found else NO_SYNC_ID


def record_id_of(line: bytes) -> bytes | None:
    """The id that Airbyte gave the record of a line, or None."""
    return _in_envelope(_RECORD_ID, line)


def _in_envelope(pattern: re.Pattern[bytes], line: bytes) -> bytes | None:
    found = pattern.search(line[:_ENVELOPE_BYTES]) or pattern.search(line)
    return found.group(1) if found else None


def landed_file(
    key: str,
    etag: str,
    size_bytes: int,
    lines: Iterable[bytes],
    arrived_at: datetime,
) -> LandedFile:
    """Count a file's lines by the sync that wrote them, and tell its records.

    One of `jsonl.DAMAGE` while reading is kept as the file's damage; the lines before it count.
    """
    sync_ids: Counter[str] = Counter()
    records: set[int] = set()
    repeated = 0
    problem = None
    try:
        for line in lines:
            sync_ids[sync_id_of(line) if line else BLANK_LINE] += 1
            if len(sync_ids) > _SYNCS_PER_FILE:
                raise jsonl.TooLargeError(f"it has lines of more than {_SYNCS_PER_FILE} syncs")
            if record_id := record_id_of(line):
                digest = hashlib.blake2b(record_id, digest_size=_DIGEST_BYTES).digest()
                number = int.from_bytes(digest)
                repeated += number in records
                records.add(number)
    except jsonl.DAMAGE as error:
        problem = f"{type(error).__name__}: {error}"
    return LandedFile(
        key=key,
        etag=etag,
        size_bytes=size_bytes,
        lines=sync_ids.total(),
        sync_ids=dict(sync_ids),
        damage=problem,
        arrived_at=arrived_at,
        repeated=repeated,
        # A sum, for the order of lines not to count.
        records_digest=f"{sum(records) % 2**128:032x}" if records else None,
    )


def index_of(
    old: LandingIndex, files: Iterable[LandedFile], unreadable: Mapping[str, str] | None = None
) -> LandingIndex:
    """The index of what the bucket holds now; what `old` knew in another version is lost.

    A file that is restored to a version of before has lost nothing.
    """
    by_key = {file.key: file for file in sorted(files, key=lambda file: file.key)}
    was_lost = {(file.key, file.etag) for file in old.lost}
    restored = {key for key, file in by_key.items() if (key, file.etag) in was_lost}
    known = {(file.key, file.etag): file for file in (*old.lost, *old.files.values())}
    lost = [
        file
        for (key, etag), file in sorted(known.items())
        if key not in restored and (key not in by_key or by_key[key].etag != etag)
    ]
    return LandingIndex(files=by_key, lost=tuple(lost), unreadable=dict(unreadable or {}))


def manifest_of(report: SyncReport, index: LandingIndex) -> LandingManifest:
    """The files with at least one line of the report's sync, by key; so of the earlier ones."""
    own = FinishedSync(
        as_of_date=last_day_seen(report.started_at), job_id=report.job_id, records=report.records
    )
    return _files_of(own, index).model_copy(
        update={"earlier": tuple(_files_of(sync, index) for sync in report.earlier)}
    )


def _files_of(sync: FinishedSync, index: LandingIndex) -> LandingManifest:
    own = str(sync.job_id)
    files = (file for file in index.files.values() if own in file.sync_ids)
    lost = {file.key for file in index.lost if own in file.sync_ids}
    return LandingManifest(
        as_of_date=sync.as_of_date,
        job_id=sync.job_id,
        records_reported=sync.records,
        files=tuple(sorted(files, key=lambda file: file.key)),
        gone=tuple(sorted(lost - set(index.files))),
    )


def lost_files(manifest: LandingManifest, index: LandingIndex) -> list[str]:
    """What became of each file of a sync that was read before and is not there as it was.

    If the files hold all records, a copy that was deleted, a file that has another name now and one
    that was first seen cut are not missed.
    """

    def is_missed(file: LandedFile) -> bool:
        return not manifest.is_whole or (file.key in index.files and not file.damage)

    return [
        f"{file.key} has changed (etag {file.etag}, now {index.files[file.key].etag})"
        if file.key in index.files
        else f"{file.key} is gone ({file.lines} lines)"
        for file in index.lost
        if str(manifest.job_id) in file.sync_ids and is_missed(file)
    ]


def faults_of_earlier(manifest: LandingManifest, index: LandingIndex) -> list[str]:
    """A sentence for each earlier sync whose files are not all there as they were.

    One that is not whole is no fault once a later sync of the same day is.
    """
    healed = {
        sync.as_of_date: sync.job_id
        for sync in sorted((manifest, *manifest.earlier), key=lambda sync: sync.job_id)
        if sync.is_whole
    }
    faults = []
    for sync in manifest.earlier:
        said = lost_files(sync, index)
        said += [f"{file.key} is cut ({file.damage})" for file in sync.files if file.damage]
        is_healed = healed.get(sync.as_of_date, 0) > sync.job_id
        if (said or not sync.is_whole) and not is_healed:
            faults.append(
                f"Airbyte job {sync.job_id} of {sync.as_of_date} reports {sync.records_reported}"
                f" records, its files hold {sync.lines} lines:"
                f" {'; '.join((*said, *surplus_lines(sync))) or 'files are missing or surplus'}"
            )
    return faults


def surplus_lines(manifest: LandingManifest) -> list[str]:
    """What makes a sync's files hold more lines than records, each as a phrase."""
    foreign = {sync: n for sync, n in manifest.foreign_lines.items() if sync != NO_SYNC_ID}
    blank = foreign.pop(BLANK_LINE, 0)
    repeated = {file.key: file.repeated for file in manifest.files if file.repeated}
    return [
        *([f"{blank} lines are blank"] if blank else []),
        *(f"{lines} lines are of Airbyte job {sync}" for sync, lines in foreign.items()),
        *(f"{lines} lines of {key} repeat others of it" for key, lines in repeated.items()),
        *(f"{file.key} has the records of another file" for file in manifest.copies),
    ]


def surplus(
    manifest: LandingManifest, index: LandingIndex
) -> tuple[dict[str, int], tuple[str, ...]]:
    """What in the bucket nobody accounts for, seen from one manifest.

    The lines inside the manifest's files by the other sync (or none) that wrote them, and the keys
    of files with no sync id at all. Files of other syncs are other days' business.
    """
    nobodys = {NO_SYNC_ID, BLANK_LINE}
    unowned = (key for key, file in index.files.items() if not set(file.sync_ids) - nobodys)
    return manifest.foreign_lines, tuple(sorted({*unowned, *index.unreadable}))
