"""An emulated account with its bucket, as `vp infra apply` leaves it, and the resources on it."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from tests.support.settings import fixed
from veracitypro_pipeline.local.services.s3 import S3Server, s3_client
from veracitypro_pipeline.raw.engines import raw_engine
from veracitypro_pipeline.raw.tables import Load
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandedFile
from veracitypro_pipeline.statement import Statement

KEY_ID: Final = "AKIATEST"
SECRET: Final = "not-a-secret"
DAY: Final = date(2026, 1, 31)
ARRIVED_AT: Final = datetime(2026, 2, 1, 0, 29, tzinfo=UTC)
LOADED_AT: Final = datetime(2026, 2, 1, 0, 30)


@dataclass(frozen=True)
class Site:
    """One environment: settings, its bucket, its warehouse."""

    settings: Settings
    server: S3Server

    @property
    def client(self) -> Any:
        return s3_client(self.server.url, KEY_ID, SECRET)

    @property
    def s3(self) -> S3Resource:
        return S3Resource(settings=fixed(self.settings))

    @property
    def warehouse(self) -> WarehouseResource:
        return WarehouseResource(settings=fixed(self.settings))

    def land(self, name: str, lines: Sequence[bytes]) -> LandedFile:
        """Put a landing file into the bucket, as Airbyte does."""
        key = PRODUCT_RAW.prefix(self.settings.environment) + name
        body = gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)
        put = self.client.put_object(Bucket=self.settings.raw_bucket, Key=key, Body=body)
        return LandedFile(
            key=key,
            etag=put["ETag"].strip('"'),
            size_bytes=len(body),
            lines=len(lines),
            sync_ids={},
            arrived_at=ARRIVED_AT,
        )

    def load(self, files: Sequence[LandedFile], load_id: str = "run", day: date = DAY) -> None:
        """Load them, as the raw stage does."""
        engine = raw_engine(self.warehouse)
        engine.prepare(self.warehouse, PRODUCT_RAW)
        load = Load(PRODUCT_RAW, files, day, load_id, LOADED_AT)
        engine.load(load, self.settings, self.s3, self.warehouse)

    def land_and_load(self, files: Mapping[str, Sequence[bytes]], load_id: str = "run") -> None:
        self.load([self.land(name, lines) for name, lines in files.items()], load_id)

    def query(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.warehouse.query(sql, values).rows

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The same, with landing files named as they are in every environment."""
        return self.alike(self.query(sql))

    def alike(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows with landing files named as they are in every environment."""
        prefix = PRODUCT_RAW.prefix(self.settings.environment)
        return [
            tuple(one.removeprefix(prefix) if isinstance(one, str) else one for one in row)
            for row in rows
        ]

    def forget(self) -> None:
        """Empty RAW."""
        self.warehouse.transact(
            [
                Statement("delete from RAW.KEEPA_RAW"),
                Statement("delete from MONITORING.LOAD_LEDGER"),
            ]
        )


STORAGE_ROLE = "arn:aws:iam::123456789012:role/vp-snowflake-dev"
