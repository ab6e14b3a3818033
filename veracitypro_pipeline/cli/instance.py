"""The Dagster instance of a home and environment, where `vp run` and `vp dev` store runs."""

import fcntl
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from veracitypro_pipeline.home import FILE_MODE, make_home, make_private_folder, write_file
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
    # The local stack has one clock, the warehouse one writer.
    max_concurrent_runs: 1
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    # Dagster's default is five seconds.
    dequeue_interval_seconds: 1
"""
# The same instance, as `vp run` uses it.
_VP_RUN_YAML: Final = f"""\
{_COMMON_YAML}\
compute_logs:
  module: veracitypro_pipeline.cli.run_output
  class: RunOutput
  config:
    base_dir:
      env: DAGSTER_HOME
"""
CONFIGURATIONS: Final = {"dagster.yaml": _DAGSTER_YAML, "vp_run.yaml": _VP_RUN_YAML}
# Locked by each process that serves the instance.
_HELD_FILE: Final = "dev.lock"
# The first line of a file that `vp` wrote, with the digest of the rest.
_MADE: Final = re.compile(r"# Made by vp \((?P<digest>\w+)\)[^\n]*\n")


def prepare_dagster_home(settings: Settings) -> Path:
    """Create the instance's folder, set DAGSTER_HOME to it, and return it."""
    make_home(settings.home_dir)
    folder = make_private_folder(settings.dagster_home)
    for name, text in CONFIGURATIONS.items():
        _write_unless_edited(folder / name, text)
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


def _write_unless_edited(path: Path, text: str) -> None:
    """Write the file of this version, unless it was edited since a version wrote it."""
    made = f"# Made by vp ({_digest(text)}) and kept up to date until you edit it.\n{text}"
    if path.exists():
        there = path.read_text(encoding="utf-8", errors="replace")
        head = _MADE.match(there)
        is_ours = head is not None and _digest(there[head.end() :]) == head.group("digest")
        # An earlier version did not write atomically, so a crash can have left a part.
        is_cut = made.startswith(there)
        if there == made or not (is_ours or is_cut):
            return
    write_file(path, made)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hold_instance(folder: Path) -> None:
    """Make `is_held` true until this process ends, also after an `exec`. The lock is shared."""
    lock = os.open(folder / _HELD_FILE, os.O_RDWR | os.O_CREAT, FILE_MODE)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_SH)


def is_held(folder: Path) -> bool:
    """Whether a living process serves the instance."""
    try:
        with (folder / _HELD_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def dagster_instance(settings: Settings) -> "dg.DagsterInstance":
    """The open instance, as a context manager."""
    import dagster as dg

    # Imported first, because Dagster would import it after it has opened its first database.
    from veracitypro_pipeline.cli import event_storage  # noqa: F401

    folder = prepare_dagster_home(settings)
    return dg.DagsterInstance.from_config(str(folder), "vp_run.yaml")
