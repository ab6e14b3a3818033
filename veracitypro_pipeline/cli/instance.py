"""The Dagster instance under the home: where runs of `vp run` and `vp dev` are kept."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from veracitypro_pipeline.local.private_files import make_private_folder
from veracitypro_pipeline.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

# Written once, so that whoever edits it keeps the edit.
DAGSTER_YAML: Final = """\
# The Dagster instance of this home; made by `vp`.
telemetry:
  enabled: false
concurrency:
  runs:
    # The local stack has one clock and the warehouse one writer.
    max_concurrent_runs: 1
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Make the instance's folder, point Dagster (and child processes) to it, and return it."""
    folder = make_private_folder(settings.dagster_home)
    configuration = folder / "dagster.yaml"
    if not configuration.exists():
        configuration.write_text(DAGSTER_YAML, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """The instance, open; a context manager."""
    import dagster as dg

    prepare_dagster_home(settings)
    return dg.DagsterInstance.get()
