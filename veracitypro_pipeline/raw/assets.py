"""The RAW table as an asset: the manifest's files, and nothing else, in one transaction."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.failures import PermanentFailure, final_when_interrupted
from veracitypro_pipeline.handover import LandedFile, LandingManifest
from veracitypro_pipeline.lineage import HANDOVER_IO, LANDING_PRODUCT, OWNERS, RAW, RAW_KEEPA
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.raw.duckdb import (
    CREATE_TABLES,
    LEDGER_OF_FILES,
    ROWS_OF_FILES,
    load_statements,
)
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse import WarehouseResource

if TYPE_CHECKING:
    import pyarrow as pa

# Lines go to the warehouse in batches of about this size, so that memory does not grow with a file.
BATCH_BYTES: Final = 16_000_000


def build_assets(retries: dg.RetryPolicy) -> list[dg.AssetsDefinition]:
    """The assets of this stage."""

    @dg.asset(
        key=RAW_KEEPA,
        ins={"landing_product_raw": dg.AssetIn(key=LANDING_PRODUCT)},
        group_name=RAW,
        owners=OWNERS,
        kinds={"table"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=HANDOVER_IO,
        retry_policy=retries,
    )
    @final_when_interrupted
    def keepa_raw(
        context: dg.AssetExecutionContext,
        landing_product_raw: LandingManifest,
        run_settings: RunSettings,
        s3: S3Resource,
        warehouse: WarehouseResource,
    ) -> dg.MaterializeResult[None]:
        """Every line that Airbyte landed, as it came: valid JSON as payload, the rest as text.

        Grain: one row per line of a landing file. Instants are UTC.
        Re-run: a file that was loaded before, in the same version, is left alone; a file whose etag
        has changed replaces the rows it brought. The load is one transaction.
        """
        manifest = landing_product_raw
        names = {"files": [file.key for file in manifest.files]}
        warehouse.transact(CREATE_TABLES)
        loaded = dict(warehouse.query(LEDGER_OF_FILES, names).rows)
        new = [file for file in manifest.files if loaded.get(file.key) != file.etag]
        if new:
            with tempfile.TemporaryDirectory() as folder:
                bucket = run_settings.get().raw_bucket
                paths = [_fetched(s3, bucket, file, Path(folder)) for file in new]
                warehouse.transact(
                    load_statements(
                        new,
                        as_of_date=manifest.as_of_date,
                        load_id=context.run_id,
                        loaded_at=datetime.now(UTC).replace(tzinfo=None),
                    ),
                    {"landing_lines": line_batches(new, paths)},
                )

        rows = {name: counts for name, *counts in warehouse.query(ROWS_OF_FILES, names).rows}
        in_raw = sum(counts[0] for counts in rows.values())
        refused = sum(counts[1] for counts in rows.values())
        return dg.MaterializeResult(
            metadata={
                "rows_in": manifest.lines,
                "rows_out": in_raw - refused,
                "rows_refused": refused,
                "dagster/partition_row_count": in_raw,
                "files_loaded": len(new),
                "files_already_loaded": len(manifest.files) - len(new),
                "load_id": context.run_id,
            }
        )

    return [keepa_raw]


def _fetched(s3: S3Resource, bucket: str, file: LandedFile, folder: Path) -> Path:
    """The object as a local file, in the version that the manifest counted."""
    # A name of our own: an object's key is no path to trust.
    path = folder / f"{file.etag}.jsonl.gz"
    etag = s3.download(bucket, file.key, path)
    if etag != file.etag:
        raise PermanentFailure(
            f"s3://{bucket}/{file.key} has changed since it was counted (etag {file.etag}, now"
            f" {etag}): materialize {LANDING_PRODUCT.to_user_string()} of this day again."
        )
    return path


def line_batches(files: Sequence[LandedFile], paths: Sequence[Path]) -> "pa.RecordBatchReader":
    """The lines of the files as Arrow batches (source_file, file_row_number from 1, raw_line).

    A byte that is no UTF-8 becomes a backslash escape, which makes its line invalid JSON, so that
    the line is kept and refused.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("source_file", pa.string()),
            ("file_row_number", pa.int64()),
            ("raw_line", pa.large_string()),
        ]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for file, path in zip(files, paths, strict=True):
            first, size = 1, 0
            texts: list[str] = []
            for line in jsonl.lines(path):
                texts.append(line.decode(errors="backslashreplace"))
                size += len(line)
                if size >= BATCH_BYTES:
                    yield batch(file.key, first, texts)
                    first, size, texts = first + len(texts), 0, []
            if texts:
                yield batch(file.key, first, texts)

    def batch(key: str, first: int, texts: list[str]) -> pa.RecordBatch:
        numbers = range(first, first + len(texts))
        return pa.record_batch([[key] * len(texts), numbers, texts], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
