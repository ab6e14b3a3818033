"""The sensor that records runs where a daemon runs. `vp run` calls `record_runs` itself."""

from typing import Final

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.monitoring.recording import record_runs
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource


@dg.sensor(
    name="runs_are_recorded",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Writes a row of MONITORING.PIPELINE_RUN_MONITORING for each run that has started or ended,"
        " with whatever status."
    ),
)
def runs_are_recorded(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Queries the warehouse only after a run has changed, because a query wakes it. Rows that it
    rejects are not retried until then, for the same reason."""
    newest = context.instance.get_run_records(limit=1, order_by="update_timestamp")
    changed = newest[0].update_timestamp.isoformat() if newest else ""
    if changed == (context.cursor or ""):
        return dg.SkipReason("No run has changed.")
    failure = record_runs(context.instance, warehouse.in_a_tick(), context.log)
    if failure is None:
        return dg.SensorResult(cursor=changed)
    if isinstance(failure, PermanentFailure):
        return dg.SensorResult(
            cursor=changed,
            skip_reason="The warehouse rejects the rows; the next run that changes retries.",
        )
    return dg.SkipReason("The warehouse cannot be written now; the next tick retries.")


SENSORS: Final = [runs_are_recorded]
