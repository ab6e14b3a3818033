"""Runs as the Dagster UI starts them, for tests without a server."""

from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.snap import snapshot_from_execution_plan


def checks_alone(
    instance: dg.DagsterInstance,
    defs: dg.Definitions,
    *checks: dg.AssetCheckKey,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Execute checks as their "Execute" button does: no partition, no asset. Returns the run id."""
    whole = defs.resolve_implicit_global_asset_job_def()
    job = whole.get_subset(asset_selection=set(), asset_check_selection=set(checks))
    plan = create_execution_plan(job)
    run = instance.create_run(
        job_name=job.name,
        run_id=None,
        run_config={},
        status=None,
        tags=tags or {},
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, job.get_job_snapshot_id()),
        job_snapshot=job.get_job_snapshot(),
        parent_job_snapshot=None,
        asset_selection=frozenset(),
        asset_check_selection=frozenset(checks),
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=None,
        asset_graph=job.asset_layer.asset_graph,
    )
    execute_run(InMemoryJob(job), run, instance, raise_on_error=False)
    return run.run_id
