"""The landing and the load of a day: a bucket in memory, Airbyte's list of jobs, DuckDB."""

import gzip
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg

from tests.support.settings import StateInMemory, fixed
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.ingest.assets import earlier_syncs
from veracitypro_pipeline.landing import assets as landing_assets
from veracitypro_pipeline.landing import checks as landing_checks
from veracitypro_pipeline.raw import assets as raw_assets
from veracitypro_pipeline.raw import checks as raw_checks
from veracitypro_pipeline.resources.s3 import StoredObject
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.stage_values.sync import SyncReport

FIRST = date(2026, 1, 31)


@dataclass
class Job:
    """A sync in Airbyte's list; it has written all its lines if it succeeded."""

    job_id: int
    day: int
    status: str = "succeeded"
    records: int = 0
    keys: list[str] = field(default_factory=list)

    @property
    def began_at(self) -> datetime:
        return datetime(2026, 2, 1, 0, 10, tzinfo=UTC) + timedelta(days=self.day)

    def as_airbyte_says(self) -> dict[str, Any]:
        return {
            "jobId": self.job_id,
            "status": self.status,
            "startTime": self.began_at.isoformat(),
            "rowsSynced": self.records,
        }


def a_line(job_id: int, asin: str) -> str:
    return json.dumps(
        {
            "_airbyte_raw_id": f"id of {asin}",
            "_airbyte_meta": {"sync_id": job_id},
            "_airbyte_data": {"asin": asin},
        }
    )


def a_file(*lines: str) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


def body_of(definition: dg.AssetsDefinition) -> Any:
    """The undecorated function; a call through Dagster creates an instance (0.1 s)."""
    compute: Any = definition.op.compute_fn
    return compute.decorated_fn


class Pipeline:
    """Bucket, Airbyte and warehouse; `run` does the landing and the load of a night."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, bytes] = {}
        self.closed: set[str] = set()
        self.now = datetime(2026, 2, 1, 0, 20, tzinfo=UTC)
        self.jobs: list[Job] = []
        self.state_store = StateInMemory()
        self.settings = fixed(Settings.load(warehouse_file=folder / "dwh.duckdb"))
        self.warehouse = WarehouseResource(settings=self.settings)
        self.manifest: LandingManifest | None = None
        self.landed: dict[str, Any] = {}
        self.load: dict[str, Any] = {}
        self.said: dict[str, str] = {}
        self.asins_seen: set[str] = set()

    # The methods of S3Resource that the stages use.
    def list_objects(self, _bucket: str, _prefix: str) -> Iterator[StoredObject]:
        for key, body in sorted(self.objects.items()):
            etag = hashlib.md5(body).hexdigest()  # noqa: S324
            yield StoredObject(key, etag, len(body), self.now)

    def download(self, _bucket: str, key: str, target: Path) -> str:
        if key in self.closed:
            raise PermanentFailure(f"S3 refused to read {key}: AccessDenied.")
        target.write_bytes(self.objects[key])
        return hashlib.md5(self.objects[key]).hexdigest()  # noqa: S324

    # Events outside of the pipeline.
    def sync(self, day: int, *file_lines: int, status: str = "succeeded") -> Job:
        """Run a job that writes files with these numbers of lines."""
        job = Job(len(self.jobs) + 1, day, status, records=sum(file_lines))
        for part, count in enumerate(file_lines):
            key = f"day_{day}_job_{job.job_id}_{part}.jsonl.gz"
            asins = [f"{job.job_id}-{part}-{number}" for number in range(count)]
            self.objects[key] = a_file(*(a_line(job.job_id, asin) for asin in asins))
            job.keys.append(key)
        self.jobs.append(job)
        return job

    # The pipeline.
    def run(self, day: int, *, job: Job | None = None, reload: bool = False) -> list[str]:
        """Land and load a day, from its newest sync or a given one; return the names of red checks.

        A red blocking check ends the run before the load, as in Dagster.
        """
        if job is None:
            job = [one for one in self.jobs if one.day == day and one.status == "succeeded"][-1]
        report = SyncReport(
            as_of_date=FIRST + timedelta(days=day),
            job_id=job.job_id,
            started_at=job.began_at,
            records=job.records,
            size_bytes=0,
            seconds=1,
            earlier=earlier_syncs(
                [one.as_airbyte_says() for one in self.jobs],
                FIRST + timedelta(days=day),
                job.job_id,
            ),
        )
        resources = {"run_settings": self.settings, "s3": self}
        (landing,) = landing_assets.build_assets(KEEPA, dg.RetryPolicy())
        of_run = SimpleNamespace(run_id="run")
        context = SimpleNamespace(op_execution_context=of_run, log=logging.getLogger(__name__))
        landed = body_of(landing)(context, report, **resources, state_store=self.state_store)
        self.manifest, self.landed = landed.value, dict(landed.metadata or {})
        red, is_blocked = self._red(landing_checks.build_checks(KEEPA))
        if is_blocked:
            return red
        (raw,) = raw_assets.build_assets(KEEPA, dg.RetryPolicy())
        config = raw_assets.LoadConfig(reload=reload)
        loaded = body_of(raw)(context, config, self.manifest, **resources, warehouse=self.warehouse)
        self.load = dict(loaded.metadata or {})
        return [*red, *self._red(raw_checks.build_checks(KEEPA))[0]]

    def _red(self, checks: list[dg.AssetChecksDefinition]) -> tuple[list[str], bool]:
        """The red checks by name, and whether one of them blocks."""
        names, is_blocked = [], False
        resources = {"state_store": self.state_store, "warehouse": self.warehouse}
        for check in checks:
            wanted = {
                name: resources[name] for name in check.required_resource_keys & resources.keys()
            }
            result = body_of(check)(self.manifest, **wanted)
            (spec,) = check.check_specs
            self.said[spec.name] = result.description
            if not result.passed:
                names.append(spec.name)
                is_blocked |= spec.blocking and result.severity is dg.AssetCheckSeverity.ERROR
        return names, is_blocked

    # The warehouse.
    def rows(self) -> dict[str, tuple[date, int]]:
        """The as-of day and the rows of each file in RAW."""
        if not self.load:
            return {}
        sql = "select source_file, as_of_date, count(*) from RAW.KEEPA_RAW group by all"
        return {key: (day, count) for key, day, count in self.warehouse.query(sql).rows}
