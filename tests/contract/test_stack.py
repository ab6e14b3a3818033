"""The stack's processes: what they know of whoever started them."""

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from veracitypro_pipeline.local.played_day import TRACKED_ALONE
from veracitypro_pipeline.local.run_settings import on_stack
from veracitypro_pipeline.local.stack import ensure_stack, play_day, stop_stack
from veracitypro_pipeline.resources.airbyte_client import SyncClient
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
def test_no_process_of_the_stack_has_a_sign_in_of_the_user(
    home: Path, tracked_products: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They outlive the command and hold on to their environment for days."""
    for name in (*SECRETS, "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "hunter2-of-the-user")
    state = ensure_stack(home, tracked_products=tracked_products)
    play_day(state, date(2025, 11, 20), products=TRACKED_ALONE)
    client = SyncClient.from_settings(on_stack(Settings.load(), state))
    job = client.start()
    server = home / "stack"
    pids = {"server": state.pid, "rclone": _pid(server, "rclone.pid")}
    pids["connector"] = _pid(server, "work/*/connector.pid")
    try:
        for process, pid in pids.items():
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"PATH=" in environment, process
            assert b"hunter2" not in environment, process
    finally:
        client.cancel_job(job["jobId"])


def _pid(folder: Path, pattern: str) -> int:
    """From a pid file, which is there once its process is."""
    deadline = time.monotonic() + SYNC_SECONDS
    while time.monotonic() < deadline:
        for file in folder.glob(pattern):
            if text := file.read_text():
                return int(text)
        time.sleep(0.01)
    raise AssertionError(f"There is no {pattern} in {folder}.")
