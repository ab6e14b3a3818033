"""Updates the tables of runs from Dagster's instance.

`record_runs` compares recent runs with their rows and writes the differences. So any process can
call it, at any time: if a run's process was killed, or the warehouse was in use when it ended, the
next call records the run.
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

# Runs compared per call: a month of nights, and what people run beside them.
RECENT_RUNS: Final = 60
# A run is recorded from its start on, so not while it is queued.
_RECORDED: Final = (
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


def record_runs(
    instance: dg.DagsterInstance, warehouse: WarehouseResource, log: logging.Logger
) -> Exception | None:
    """Write each recent run whose row is missing or has an older status; return the error if a
    write failed.

    Never raises: if the warehouse is in use or unreachable, a warning is logged and the next call
    writes the rows.
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
        # A failure to record must not fail the run.
        log.warning(
            masked(f"Runs are not recorded in MONITORING yet; the next run records them: {reason}")
        )
        return reason
    return None


def _statements(instance: dg.DagsterInstance, run_id: str, log: logging.Logger) -> list[Statement]:
    """The statements that record a run; none, and a warning, if its events cannot be read, so that
    the other runs are still recorded."""
    try:
        return record_statements(run_record(instance, run_id), datetime.now(UTC))
    except Exception as reason:
        log.warning(
            masked(f"The events of run {run_id} cannot be read, so it has no row: {reason}")
        )
        return []
