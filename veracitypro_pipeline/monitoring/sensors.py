"""The sensor that keeps the tables of runs up to date where a daemon runs.

`vp run` has no daemon and calls `record_runs` itself.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.monitoring.recording import record_runs
from veracitypro_pipeline.resources.warehouse import WarehouseResource


@dg.sensor(
    name="runs_are_recorded",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Writes a row of MONITORING.PIPELINE_RUN_MONITORING for each run that has begun or ended,"
        " however it ended."
    ),
)
def runs_are_recorded(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Asks the warehouse only after some run has changed: a query would wake it up."""
    newest = context.instance.get_run_records(limit=1, order_by="update_timestamp")
    changed = newest[0].update_timestamp.isoformat() if newest else ""
    if changed == (context.cursor or ""):
        return dg.SkipReason("No run has changed.")
    if not record_runs(context.instance, warehouse, context.log):
        return dg.SkipReason("The warehouse cannot be written now; the next tick tries again.")
    return dg.SensorResult(cursor=changed)


SENSORS: Final = [runs_are_recorded]
