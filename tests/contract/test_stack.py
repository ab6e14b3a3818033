"""The stack's processes: which secrets of the user they have, and that they end with their home."""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from veracitypro_pipeline.local.played_day import TRACKED_ALONE
from veracitypro_pipeline.local.stack import processes
from veracitypro_pipeline.local.stack.lifecycle import (
    STATE_FILE,
    ensure_stack,
    play_day,
    stop_stack,
)
from veracitypro_pipeline.local.stack.run_settings import on_stack
from veracitypro_pipeline.resources.airbyte.client import SyncClient
from veracitypro_pipeline.settings import Settings, variable_of

SECRETS = [
    variable_of(field)
    for field, info in Settings.model_fields.items()
    if "Secret" in str(info.annotation)
]
SYNC_SECONDS = 120.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    stop_stack(tmp_path / "home")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_processes_of_the_stack_have_no_secret_of_the_user_and_end_with_the_home(
    home: Path, tracked_products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They outlive the command and keep their environment for days."""
    for name in (*SECRETS, "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "hunter2-of-the-user")
    state = ensure_stack(home, tracked_products=tracked_products)
    play_day(state, date(2025, 11, 20), products=TRACKED_ALONE)
    client = SyncClient.from_settings(
        on_stack(Settings.load(), state), state.airbyte_connection_ids["keepa"]
    )
    job = client.start()
    folder = home / "stack"
    pids = {
        "server": state.pid,
        "rclone": _pid(processes.rclone(folder)),
        "connector": _pid(processes.connector(folder)),
    }
    try:
        for process, pid in pids.items():
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"PATH=" in environment, process
            assert b"hunter2" not in environment, process
    finally:
        client.cancel_job(job["jobId"])

    # A server whose state file is damaged, and one of older code, are replaced.
    for is_damaged in (True, False):
        started = json.loads((folder / STATE_FILE).read_text())
        # Versions before this one did not write which code runs.
        del started["code"]
        (folder / STATE_FILE).write_text("[]" if is_damaged else json.dumps(started))
        said: list[str] = []
        replaced = ensure_stack(home, tracked_products=tracked_products, say=said.append)
        assert replaced.pid != state.pid
        assert ensure_stack(home, tracked_products=tracked_products, say=said.append) == replaced
        assert said == [f"Starting the local stack of {home}"]
        assert not processes.is_server(state.pid, folder)
        state = replaced

    shutil.rmtree(home)
    deadline = time.monotonic() + SYNC_SECONDS
    while processes.find(f" {folder}", f" {folder}/") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes.find(f" {folder}")


def _pid(mark: str) -> int:
    """The pid of a process that starts soon."""
    deadline = time.monotonic() + SYNC_SECONDS
    while time.monotonic() < deadline:
        for pid in processes.find(mark):
            return pid
        time.sleep(0.01)
    raise AssertionError(f"No process has {mark!r} on its command line.")
