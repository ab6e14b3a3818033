"""Brings the tables of runs up to date with what Dagster's instance knows.

It compares recent runs with their rows and writes what differs. So it does not matter who calls it,
when, or how often: a run whose process was killed, or that ended while the warehouse was in use, is
recorded by whoever calls next.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.monitoring.tables import (
    STATUS_OF_RUNS,
    create_tables,
    record_statements,
)
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.runs.events import run_record
from veracitypro_pipeline.statement import Statement

# Looked at each time: a month of nights and what people run beside them.
RECENT_RUNS: Final = 60
# A run is in the table from its start on. Queued ones have done nothing yet.
_RECORDED: Final = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


def record_runs(
    instance: dg.DagsterInstance, warehouse: WarehouseResource, log: logging.Logger
) -> Exception | None:
    """Write each recent run whose row is missing or tells of an older status; returns why some of
    it could not be written.

    Never raises: a warehouse that is in use or away is said in the log, and the next call writes.
    """
    try:
        records = instance.get_run_records(
            dg.RunsFilter(statuses=list(_RECORDED)), limit=RECENT_RUNS
        )
        if not records:
            return None
        if warehouse.makes_its_tables:
            warehouse.transact(create_tables(STAGES))
        oldest = min(record.create_timestamp for record in records)
        since = (oldest - timedelta(days=1)).astimezone(UTC).replace(tzinfo=None)
        kept = dict(warehouse.query(STATUS_OF_RUNS, {"since": since}).rows)
        differing = [
            record.dagster_run.run_id
            for record in records
            if kept.get(record.dagster_run.run_id) != record.dagster_run.status.value.lower()
        ]
        for run_id in reversed(differing):
            statements = _statements(instance, run_id, log)
            if statements:
                warehouse.transact(statements)
    except Exception as reason:
        # Whatever is wrong with the warehouse, the run's data is not to suffer.
        log.warning(
            masked(f"What the runs did is not in MONITORING yet; the next run writes it: {reason}")
        )
        return reason
    return None


def _statements(instance: dg.DagsterInstance, run_id: str, log: logging.Logger) -> list[Statement]:
    """None for a run whose events cannot be read: it must not keep the others out."""
    try:
        return record_statements(run_record(instance, run_id), datetime.now(UTC))
    except Exception as reason:
        log.warning(masked(f"What run {run_id} did cannot be read, so it is in no table: {reason}"))
        return []
