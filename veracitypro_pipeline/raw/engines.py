"""How each engine gets landing files into RAW: from this process, or from S3 by itself."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from veracitypro_pipeline import jsonl
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.lineage import landing_key
from veracitypro_pipeline.raw import on_duckdb, on_snowflake
from veracitypro_pipeline.raw.tables import ROWS_OF_FILES, Load, miscounted, on
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse.factory import Engine
from veracitypro_pipeline.resources.warehouse.protocol import Transaction
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.source import Stream
from veracitypro_pipeline.stage_values.landing import LandedFile

if TYPE_CHECKING:
    import pyarrow as pa

# Lines go to DuckDB in batches of about so much memory, so that it does not grow with a file.
BATCH_BYTES: Final = 16_000_000


class RawEngine(Protocol):
    """What the stage asks of an engine."""

    def prepare(self, warehouse: WarehouseResource, stream: Stream) -> None:
        """Make the tables, where nobody else does."""

    def load(
        self, load: Load, settings: Settings, s3: S3Resource, warehouse: WarehouseResource
    ) -> None:
        """Replace in RAW what these files brought before by what they hold, in one transaction.

        Raises:
            PermanentFailure: a file is no longer what the manifest counted; nothing was changed.
        """


class DuckDBEngine:
    """The file is read here and its lines handed over; it makes its own tables."""

    def prepare(self, warehouse: WarehouseResource, stream: Stream) -> None:
        warehouse.transact(on_duckdb.create_tables(stream))

    def load(
        self, load: Load, settings: Settings, s3: S3Resource, warehouse: WarehouseResource
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [
                _fetched(load.stream, s3, settings.raw_bucket, file, Path(folder))
                for file in load.files
            ]
            lines = {"landing_lines": line_batches(load.files, paths)}
            with warehouse.transaction(relations=lines) as transaction:
                for statement in on_duckdb.load_statements(load):
                    transaction.run(statement)
                _confirm_rows(load, transaction)


class SnowflakeEngine:
    """Snowflake copies the files from its stage; `vp infra apply` has made the tables."""

    def prepare(self, warehouse: WarehouseResource, stream: Stream) -> None:
        pass

    def load(
        self, load: Load, settings: Settings, s3: S3Resource, warehouse: WarehouseResource
    ) -> None:
        try:
            statements = on_snowflake.load_statements(
                load, load.stream.prefix(settings.environment)
            )
        except ValueError as refusal:
            raise PermanentFailure(str(refusal)) from refusal
        with warehouse.transaction(before=[on_snowflake.CREATE_STAGING]) as transaction:
            for statement in statements:
                transaction.run(statement)
            _confirm_rows(load, transaction)
            # Snowflake does not say which version of an object it has read. It is that of the
            # manifest if S3 still holds it now, because an older version never comes back.
            for file in load.files:
                etag = s3.etag(settings.raw_bucket, file.key)
                _confirm_version(load.stream, settings.raw_bucket, file, etag)


_ENGINES: Final[Mapping[Engine, RawEngine]] = {
    "duckdb": DuckDBEngine(),
    "snowflake": SnowflakeEngine(),
}


def raw_engine(warehouse: WarehouseResource) -> RawEngine:
    """The engine of this warehouse."""
    return _ENGINES[warehouse.engine]


def _confirm_rows(load: Load, transaction: Transaction) -> None:
    answer = transaction.query(on(load.stream, ROWS_OF_FILES), load.names)
    wrong = miscounted(load, {row["source_file"]: int(row["raw_rows"]) for row in answer.dicts()})
    if wrong:
        raise PermanentFailure(
            f"The load was undone, because files are not what was counted ({'; '.join(wrong)}):"
            f" materialize {landing_key(load.stream).to_user_string()} of this day again."
        )


def _confirm_version(stream: Stream, bucket: str, file: LandedFile, etag: str | None) -> None:
    if etag != file.etag:
        raise PermanentFailure(
            f"s3://{bucket}/{file.key} has changed since it was counted (etag {file.etag}, now"
            f" {etag}): materialize {landing_key(stream).to_user_string()} of this day again."
        )


def _fetched(stream: Stream, s3: S3Resource, bucket: str, file: LandedFile, folder: Path) -> Path:
    """The object as a local file, in the version that the manifest counted."""
    # A name of our own: an object's key is no path to trust.
    path = folder / f"{file.etag}.jsonl.gz"
    _confirm_version(stream, bucket, file, s3.download(bucket, file.key, path))
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
                size += sys.getsizeof(texts[-1])
                if size >= BATCH_BYTES:
                    yield batch(file.key, first, texts)
                    first, size, texts = first + len(texts), 0, []
            if texts:
                yield batch(file.key, first, texts)

    def batch(key: str, first: int, texts: list[str]) -> pa.RecordBatch:
        numbers = range(first, first + len(texts))
        return pa.record_batch([[key] * len(texts), numbers, texts], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
