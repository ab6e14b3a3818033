"""The local stack as others use it: start it or find it running, play a day, stop it.

Everything the stack keeps lies under `<home>/stack/`, private to its owner, and outlives it: S3
objects, Airbyte jobs, Slack messages, refreshes, sign-ins, the clock.

Not here: the background process itself (`server.py`) and the stand-ins.
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from filelock import FileLock, Timeout
from pydantic import PositiveInt

from veracitypro_pipeline.home import delete, make_home, make_private_folder
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.played_day import (
    KEEP,
    PlayedDay,
    Products,
    play_to_json,
    played_from_json,
)
from veracitypro_pipeline.local.private_files import DamagedFileError, read_json
from veracitypro_pipeline.local.stack import processes
from veracitypro_pipeline.settings import PACKAGE_DIR, inherited_environment
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.connector import CONNECTORS
from veracitypro_pipeline.surroundings import AWS, NO_AWS_FILES

SLACK_CHANNEL: Final = "#data-alerts"
STATE_FILE: Final = "state.json"
CREDENTIALS_FILE: Final = "credentials.json"
LOG_FILE: Final = "stack.log"
# The server's exit code if it cannot start; the last line of the log is then its error message.
REFUSED_EXIT_CODE: Final = 3
HEALTH_SECONDS: Final = 5.0
# Long, because a payload folder can be large.
PLAY_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.05

# Referenced so that a server that ends is reaped and leaves no zombie.
_started: Final[list["subprocess.Popen[bytes]"]] = []


class StackError(RuntimeError):
    """The stack cannot do what was asked. The message is one sentence with the next step."""


@dataclass(frozen=True)
class Started:
    """What the server writes when it has started: its addresses, the files that it serves, and a
    hash of its code (empty if an older version wrote the file)."""

    pid: PositiveInt
    url: str
    s3_url: str
    tracked_products: str
    connectors: str
    code: str = ""


@dataclass(frozen=True)
class StackState:
    """Addresses and sign-ins of a running stack; secrets do not appear in the repr."""

    pid: int
    airbyte_api_url: str
    airbyte_configuration_api_url: str
    airbyte_workspace_id: str
    # Of each source, by its name.
    airbyte_connection_ids: dict[str, str]
    airbyte_client_id: str
    airbyte_client_secret: str = field(repr=False)
    s3_endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str = field(repr=False)
    slack_api_url: str
    slack_webhook_url: str = field(repr=False)
    slack_bot_token: str = field(repr=False)
    slack_channel: str
    powerbi_api_url: str
    powerbi_authority_url: str
    powerbi_tenant_id: str
    powerbi_client_id: str
    powerbi_client_secret: str = field(repr=False)
    powerbi_workspace_id: str
    powerbi_dataset_id: str
    keepa_url: str
    keepa_api_key: str = field(repr=False)
    control_url: str
    control_token: str = field(repr=False)

    @classmethod
    def of(cls, started: Started, own: Credentials) -> Self:
        url = started.url
        return cls(
            pid=started.pid,
            airbyte_api_url=f"{url}/airbyte/v1",
            airbyte_configuration_api_url=f"{url}/airbyte/api/v1",
            airbyte_workspace_id=own.airbyte_workspace_id,
            airbyte_connection_ids={
                source.name: own.airbyte_id("connection", source.name) for source in SOURCES
            },
            airbyte_client_id=own.airbyte_client_id,
            airbyte_client_secret=own.airbyte_client_secret,
            s3_endpoint_url=started.s3_url,
            aws_access_key_id=own.aws_access_key_id,
            aws_secret_access_key=own.aws_secret_access_key,
            slack_api_url=f"{url}/slack/api/",
            slack_webhook_url=f"{url}/slack/services/{own.slack_webhook_secret}",
            slack_bot_token=own.slack_bot_token,
            slack_channel=SLACK_CHANNEL,
            powerbi_api_url=f"{url}/powerbi/v1.0/myorg",
            powerbi_authority_url=f"{url}/powerbi",
            powerbi_tenant_id=own.powerbi_tenant_id,
            powerbi_client_id=own.powerbi_client_id,
            powerbi_client_secret=own.powerbi_client_secret,
            powerbi_workspace_id=own.powerbi_workspace_id,
            powerbi_dataset_id=own.powerbi_dataset_id,
            keepa_url=f"{url}/keepa",
            keepa_api_key=own.keepa_api_key,
            control_url=f"{url}/control",
            control_token=own.control_token,
        )


def ensure_stack(
    home: Path,
    *,
    tracked_products: Path,
    timeout: float = 60,
    connectors: Path = CONNECTORS,
    say: Callable[[str], object] = lambda _: None,
) -> StackState:
    """Return the running stack of this home, or start one, which `say` is told of.

    One that runs with other files or other code, or that is broken, is replaced; what it kept
    stays. Several callers at once end up with the same stack.

    Raises:
        StackError: it does not start within `timeout` seconds.
        ForeignFolderError: the home is somebody else's folder.
    """
    folder = make_private_folder(make_home(home.expanduser().resolve()) / "stack")
    deadline = time.monotonic() + timeout
    files = (str(tracked_products.resolve()), str(connectors.resolve()))
    try:
        with FileLock(folder / "start.lock", timeout=timeout):
            started = read_started(folder)
            if started is not None and _runs_with(started, files):
                state = _healthy(folder, started)
                if state is not None:
                    return state
            say(f"Starting the local stack of {folder.parent}")
            _stop(folder)
            return _start(folder, files, deadline)
    except Timeout:
        raise StackError(
            f"Another process has been starting the local stack in {folder} for {timeout:.0f} s:"
            f" look into {folder / LOG_FILE}, or try again."
        ) from None


def _runs_with(started: Started, files: tuple[str, str]) -> bool:
    return (started.tracked_products, started.connectors, started.code) == (*files, code_hash())


@cache
def code_hash() -> str:
    """A hash of the stack's code, as it was when this process first asked."""
    digest = hashlib.sha256()
    for folder in ("local", "sources"):
        for path in sorted((PACKAGE_DIR / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def stop_stack(home: Path) -> bool:
    """Stop the stack of this home and what a killed one left behind. True if there was one."""
    folder = home.expanduser().resolve() / "stack"
    if not folder.is_dir():
        return False
    with FileLock(folder / "start.lock"):
        return _stop(folder)


def play_day(state: StackState, as_of_date: date, *, products: Products = KEEP) -> PlayedDay:
    """Set the stack's clock to the night after the as-of day, and choose the products.

    `products` are the current ones, a payload folder, or a number of generated ones. The clock
    reads 00:10 UTC of the next day, or just after the newest sync of the as-of day.

    Raises:
        StackError: the folder cannot be used, another day's sync runs, or there is no answer.
    """
    asked = play_to_json(as_of_date, products)
    return played_from_json(_control(state, "POST", "/play", PLAY_SECONDS, json=asked))


def products_in_play(state: StackState) -> dict[int, list[str]]:
    """The ASINs that the stack's Airbyte source fetches, by domain id.

    Raises:
        StackError: the payload files cannot be read any more, or the stack does not answer.
    """
    found = _control(state, "GET", "/products", PLAY_SECONDS)
    return {int(domain_id): list(asins) for domain_id, asins in found.items()}


def clock_of(state: StackState) -> datetime:
    """The instant on the stack's clock, UTC.

    Raises:
        StackError: the stack does not answer.
    """
    return datetime.fromisoformat(_control(state, "GET", "/health", HEALTH_SECONDS)["now"])


def _control(
    state: StackState, method: str, path: str, timeout: float, **options: Any
) -> dict[str, Any]:
    import requests  # Slow to import, and most commands do not need it.

    with requests.Session() as session:
        session.trust_env = False  # Do not use the user's proxy on loopback.
        try:
            response = session.request(
                method,
                f"{state.control_url}{path}",
                headers={"Authorization": f"Bearer {state.control_token}"},
                timeout=timeout,
                **options,
            )
            answer: dict[str, Any] = response.json()
        except (requests.RequestException, ValueError) as error:
            raise StackError(
                f"The local stack does not answer at {state.control_url}{path}"
                f" ({type(error).__name__}): stop it with `vp down` and try again."
            ) from error
    if not response.ok:
        raise StackError(str(answer.get("error", answer)))
    return answer


def read_started(folder: Path) -> Started | None:
    """The state file of the running server; None if it is missing or damaged. The server then ends
    by itself, and the next start writes a new file."""
    try:
        return read_json(folder / STATE_FILE, Started)
    except DamagedFileError:
        return None


def _healthy(folder: Path, started: Started) -> StackState | None:
    if not processes.is_server(started.pid, folder):
        return None
    state = StackState.of(started, Credentials.load_or_make(folder / CREDENTIALS_FILE))
    try:
        health = _control(state, "GET", "/health", HEALTH_SECONDS)
    except StackError:
        return None
    return state if health["pid"] == state.pid else None


def _start(folder: Path, files: tuple[str, str], deadline: float) -> StackState:
    log = folder / LOG_FILE
    tracked_products, connectors = files
    command = [sys.executable, "-m", processes.SERVER_MODULE, str(folder)]
    command += ["--tracked-products", tracked_products, "--connectors", connectors]
    with log.open("ab") as sink:
        log.chmod(0o600)
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    _started[:] = [one for one in _started if one.poll() is None] + [server]
    while time.monotonic() < deadline:
        started = read_started(folder)
        if started is not None and (state := _healthy(folder, started)):
            return state
        if server.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    exit_code = server.poll()
    _stop(folder)
    if exit_code == REFUSED_EXIT_CODE:
        raise StackError(log.read_text(errors="replace").splitlines()[-1])
    how = "in time" if exit_code is None else f"(it ended with exit code {exit_code})"
    raise StackError(f"The local stack did not start {how}: the reason stands in {log}.")


def _stop(folder: Path) -> bool:
    """End the server and the processes that it left; return whether there were any."""
    was_running = processes.end_server(folder)
    left_behind = processes.end_children(folder)
    delete(folder / STATE_FILE)
    return was_running or left_behind


def _environment() -> dict[str, str]:
    """The environment of the server and its children: the package on the path, no proxies, and no
    settings of the project, whose secrets would stay in a process that outlives the command. The
    server's options are on its command line."""
    inherited = inherited_environment(without=AWS)
    package_home = str(PACKAGE_DIR.parent)
    search_path = os.pathsep.join(filter(None, [package_home, inherited.get("PYTHONPATH")]))
    return {
        **inherited,
        **NO_AWS_FILES,
        "PYTHONPATH": search_path,
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
