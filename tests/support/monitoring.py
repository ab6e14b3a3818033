"""An instance and the warehouse of its runs."""

import logging
from pathlib import Path
from typing import Any

import dagster as dg

from veracitypro_pipeline.monitoring.recording import record_runs
from veracitypro_pipeline.partitions import PARTITION_TAG
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings

LOG = logging.getLogger("test")
DAY = "2026-01-31"


class Monitoring:
    """An instance, and the warehouse that records its runs."""

    def __init__(self, instance: dg.DagsterInstance, path: Path) -> None:
        settings = Settings.load(warehouse_file=path)

        class FixedSettings(RunSettings):
            def _load(self) -> Settings:
                return settings

        self.instance = instance
        self.path = path
        self.warehouse = WarehouseResource(settings=FixedSettings())

    def run(self, *assets: Any, checks: Any = ()) -> str:
        job = dg.Definitions(
            assets=assets, asset_checks=checks
        ).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance, partition_key=DAY, raise_on_error=False
        ).run_id

    def killed_run(self, *assets: Any) -> str:
        """A run whose process was killed after its start."""
        job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
        run = self.instance.create_run_for_job(job, tags={PARTITION_TAG: DAY})
        self.instance.report_dagster_event(
            dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, job.name), run.run_id
        )
        return run.run_id

    def close_killed(self, run_id: str) -> None:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        self.instance.report_run_failed(run, "The process of this run was killed.")

    def record(self) -> bool:
        return record_runs(self.instance, self.warehouse, LOG) is None

    def row(self, run_id: str) -> dict[str, Any]:
        (row,) = self.warehouse.query(
            "select * from MONITORING.PIPELINE_RUN_MONITORING where run_id = $id", {"id": run_id}
        ).dicts()
        return row

    def count(self) -> int:
        sql = "select count(*) from MONITORING.PIPELINE_RUN_MONITORING"
        return int(self.warehouse.query(sql).rows[0][0])
