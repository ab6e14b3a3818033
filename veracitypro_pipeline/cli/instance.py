"""The Dagster instance under the home: where runs of `vp run` and `vp dev` are kept."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from veracitypro_pipeline.local.private_files import make_private_folder
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_COMMON_YAML: Final = """\
telemetry:
  enabled: false
event_log_storage:
  module: veracitypro_pipeline.cli.event_storage
  class: OpenSqliteEventLogStorage
  config:
    base_dir:
      env: DAGSTER_HOME
"""
# The Dagster instance of a home, as `vp dev` uses it.
_DAGSTER_YAML: Final = f"""\
{_COMMON_YAML}\
concurrency:
  runs:
    # The local stack has one clock and the warehouse one writer.
    max_concurrent_runs: 1
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    # A queued run is taken within a second; Dagster looks every five.
    dequeue_interval_seconds: 1
"""
# The same instance, as `vp run` uses it: each captured step would start two processes, while the
# output of a run goes into vp.log here.
_VP_RUN_YAML: Final = f"""\
{_COMMON_YAML}\
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
_CONFIGURATIONS: Final = {"dagster.yaml": _DAGSTER_YAML, "vp_run.yaml": _VP_RUN_YAML}


def prepare_dagster_home(settings: Settings) -> Path:
    """Make the instance's folder, point Dagster (and child processes) to it, and return it."""
    folder = make_private_folder(settings.dagster_home)
    for name, text in _CONFIGURATIONS.items():
        # Once only, so that whoever edits it keeps the edit.
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


def bury_dead_runs(instance: "dg.DagsterInstance", *, of_vp_run_only: bool = True) -> None:
    """Record as failed what a killed process began. Only for who holds the place of a run.

    A run that looks alive would keep its place in Dagster's queue for ever. Runs of other origin
    than `vp run` may be waiting for the place, unless nobody serves this instance.
    """
    import dagster as dg

    from veracitypro_pipeline.notify.telling import ANNOUNCES_ITSELF_TAG

    alive = [
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    tags = {ANNOUNCES_ITSELF_TAG: "true"} if of_vp_run_only else {}
    for run in instance.get_runs(dg.RunsFilter(statuses=alive, tags=tags)):
        instance.report_run_failed(run, "The process of this run was killed.")


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """The instance, open; a context manager."""
    import dagster as dg

    folder = prepare_dagster_home(settings)
    return dg.DagsterInstance.from_config(str(folder), "vp_run.yaml")
