"""The Dagster instance of a home and environment: where `vp run` and `vp dev` keep runs."""

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
    # The local stack has one clock and the warehouse one writer.
    max_concurrent_runs: 1
run_coordinator:
  module: dagster._core.run_coordinator
  class: QueuedRunCoordinator
  config:
    # A queued run is taken within a second; Dagster looks every five.
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
# Locked by what serves the instance.
_HELD_FILE: Final = "dev.lock"
# The first line of a file that we made, with the digest of what follows it.
_MADE: Final = re.compile(r"# Made by vp \((?P<digest>\w+)\)[^\n]*\n")
# Of those that we made before they said so.
_FORMER: Final = frozenset(
    {
        "43e102bfa0110902",
        "2ff69c6827aa4e05",
        "b3b424bc008a52e9",
        "797eaef61942f36c",
        "5b3d7dc560fbec0f",
    }
)


def prepare_dagster_home(settings: Settings) -> Path:
    """Make the instance's folder, point Dagster (and child processes) to it, and return it."""
    make_home(settings.home_dir)
    folder = make_private_folder(settings.dagster_home)
    for name, text in CONFIGURATIONS.items():
        _write_unless_edited(folder / name, text)
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder


def _write_unless_edited(path: Path, text: str) -> None:
    """A file as this version makes it, unless somebody has changed what a version has made."""
    made = f"# Made by vp ({_digest(text)}) and kept up to date until you edit it.\n{text}"
    if path.exists():
        there = path.read_text(encoding="utf-8", errors="replace")
        head = _MADE.match(there)
        digest = _digest(there[head.end() :] if head else there)
        is_ours = digest == head.group("digest") if head else digest in _FORMER
        # A crash of the machine cut a file that a version before this one wrote.
        is_cut = made.startswith(there)
        if there == made or not (is_ours or is_cut):
            return
    write_file(path, made)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def hold_instance(folder: Path) -> None:
    """Let `is_held` see that this process serves the instance, also as what it becomes by `exec`;
    until it ends. Others may do the same."""
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
    """The instance, open; a context manager."""
    import dagster as dg

    # Dagster would import it after it has opened the first of its databases.
    from veracitypro_pipeline.cli import event_storage  # noqa: F401

    folder = prepare_dagster_home(settings)
    return dg.DagsterInstance.from_config(str(folder), "vp_run.yaml")
