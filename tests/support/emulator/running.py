"""Starts the emulator, and has the settings of a client for it."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import HttpUrl, SecretStr

from tests.support.emulator.copying import ENDPOINT, KEY_ID, SECRET
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

START_SECONDS: Final = 120.0
ACCOUNT: Final = "emulated"
USER: Final = "VP_PIPELINE"


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `settings` are those of `dev`, with its address."""

    url: str
    process: subprocess.Popen[bytes]

    def settings(self, **fields: Any) -> Settings:
        return Settings.load(
            environment="dev",
            snowflake_account=ACCOUNT,
            snowflake_user=USER,
            snowflake_password=SecretStr("not checked"),
            snowflake_url=HttpUrl(self.url),
            **fields,
        )

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()


def start_emulator(folder: Path, s3: Mapping[str, str] | None = None) -> Emulator:
    """A new, empty account. `s3` are the endpoint and keys with which it reads its stages."""
    port_file = folder / "port"
    log = (folder / "emulator.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.support.emulator.launcher", str(port_file)],
        cwd=REPOSITORY_DIR,
        env={**os.environ, **(s3 or {})},
        stdout=log,
        stderr=log,
    )
    log.close()
    deadline = time.monotonic() + START_SECONDS
    while not port_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"No emulator: {(folder / 'emulator.log').read_text()}")
        time.sleep(0.05)
    return Emulator(f"http://127.0.0.1:{port_file.read_text()}", process)


def s3_of(endpoint: str, key_id: str, secret: str) -> dict[str, str]:
    return {ENDPOINT: endpoint, KEY_ID: key_id, SECRET: secret}
