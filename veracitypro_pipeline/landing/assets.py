"""The landing files as an asset: every new object is read once, then one manifest is made."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.landing.manifest import index_of, landed_file, manifest_of
from veracitypro_pipeline.lineage import (
    LANDING,
    OWNERS,
    STAGE_VALUES_IO,
    ingest_key,
    landing_index,
    landing_key,
)
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource, StoredObject
from veracitypro_pipeline.resources.state_store import StateStore, UnreadableStateError
from veracitypro_pipeline.sources.source import Source, Stream
from veracitypro_pipeline.stage_values.landing import (
    LandedFile,
    LandingIndex,
    LandingManifest,
)
from veracitypro_pipeline.stage_values.sync import SyncReport
from veracitypro_pipeline.step_guard import final_when_interrupted


def build_assets(source: Source, retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The assets of this stage: the landing files of each stream."""
    return [_landing(stream, retries) for stream in source.streams]


def _landing(stream: Stream, retries: dg.RetryPolicy) -> dg.AssetsDefinition:
    # What was read of the bucket so far. A cache: an entry lost to a concurrent run is read again.
    index_name = landing_index(stream)

    @dg.asset(
        key=landing_key(stream),
        ins={"report": dg.AssetIn(key=ingest_key(stream))},
        group_name=LANDING,
        owners=OWNERS,
        kinds={"s3"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=STAGE_VALUES_IO,
        retry_policy=retries,
    )
    @final_when_interrupted
    def landing(
        context: dg.AssetExecutionContext,
        report: SyncReport,
        run_settings: RunSettings,
        s3: S3Resource,
        state_store: StateStore,
    ) -> dg.MaterializeResult[LandingManifest]:
        """The S3 objects that one sync wrote, with their lines counted, as a manifest.

        The syncs of the last days are looked at again: their files may have come late, or be gone.

        Grain: one manifest per as-of day; files by key and etag. Counts are lines after
        decompression; bytes are those in S3.
        Re-run: reads only objects it has not read before, and gives the same manifest.
        """
        settings = run_settings.get()
        old = _index(state_store, index_name, context.log.warning)
        prefix = stream.prefix(settings.environment)
        listing = list(s3.list_objects(settings.raw_bucket, prefix))
        index = _updated(old, listing, s3, settings.raw_bucket)
        if index != old:
            state_store.write(index_name, index)

        manifest = manifest_of(report, index)
        if index.unreadable and not manifest.is_whole:
            # Nobody can say whose it is: the sync's own, as long as that lacks something.
            raise PermanentFailure(next(iter(index.unreadable.values())))
        return dg.MaterializeResult(
            value=manifest,
            metadata={
                "rows_in": report.records,
                "rows_out": manifest.lines,
                "rows_refused": 0,
                "bytes": manifest.size_bytes,
                "file_count": len(manifest.files),
                "files": _table(manifest),
                "objects_in_bucket": len(listing),
                "objects_read": len(index.files) - len(_kept(old, listing)),
            },
        )

    return landing


def _table(manifest: LandingManifest) -> dg.TableMetadataValue:
    """For the Dagster UI. No Markdown: a key is whatever somebody called a file in the bucket."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "key": file.key,
                    "lines": file.lines,
                    "bytes": file.size_bytes,
                    "arrived_at": str(file.arrived_at),
                }
            )
            for file in manifest.files
        ],
        dg.TableSchema(
            [
                dg.TableColumn("key"),
                dg.TableColumn("lines", "int"),
                dg.TableColumn("bytes", "int"),
                dg.TableColumn("arrived_at"),
            ]
        ),
    )


def _index(state_store: StateStore, name: str, warn: Callable[[str], None]) -> LandingIndex:
    """What was read so far; nothing if that cannot be read, and then each object is read again."""
    try:
        return state_store.read(name, LandingIndex) or LandingIndex()
    except UnreadableStateError as damage:
        warn(f"{damage.description} It is made anew; which files are gone is not known any more.")
        return LandingIndex()


def _updated(
    old: LandingIndex, listing: list[StoredObject], s3: S3Resource, bucket: str
) -> LandingIndex:
    """The index of what the bucket holds now; reads what is new or has changed."""
    files = _kept(old, listing)
    unreadable = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.jsonl.gz"
        for entry in listing:
            if entry.key in files:
                continue
            try:
                etag = s3.download(bucket, entry.key, path)
            except PermanentFailure as refusal:
                unreadable[entry.key] = str(refusal.description)
                continue
            files[entry.key] = landed_file(
                entry.key, etag, path.stat().st_size, jsonl.lines(path), entry.modified_at
            )
    return index_of(old, files.values(), unreadable)


def _kept(old: LandingIndex, listing: list[StoredObject]) -> dict[str, LandedFile]:
    """What was read before, in the version that the bucket holds; it arrived when first seen."""
    return {
        entry.key: file.model_copy(update={"arrived_at": file.arrived_at or entry.modified_at})
        for entry in listing
        if (file := old.files.get(entry.key)) is not None and file.etag == entry.etag
    }
