"""The stack's background process: every stand-in behind one loopback port, rclone as its child.

Run as a module by `lifecycle.py`, which names the folder and the files to use. It ends on SIGTERM,
and when its state file is gone or belongs to another server; its children end with it.

Not here: starting it (`lifecycle.py`), and the stand-ins.
"""

import argparse
import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.home import make_private_folder
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.private_files import DamagedFileError, write_json
from veracitypro_pipeline.local.services.airbyte.app import create_airbyte_app
from veracitypro_pipeline.local.services.airbyte.connector import Connector
from veracitypro_pipeline.local.services.airbyte.destination import Bucket
from veracitypro_pipeline.local.services.airbyte.jobs import JobStore
from veracitypro_pipeline.local.services.airbyte.replay import Replay
from veracitypro_pipeline.local.services.airbyte.sync import Connection, Reader, Syncs
from veracitypro_pipeline.local.services.powerbi import Refreshes, create_powerbi_app
from veracitypro_pipeline.local.services.s3 import (
    S3Server,
    S3StartError,
    s3_client,
    start_s3,
)
from veracitypro_pipeline.local.services.slack import Inbox, create_slack_app
from veracitypro_pipeline.local.sources.keepa.app import create_keepa_app
from veracitypro_pipeline.local.stack import processes
from veracitypro_pipeline.local.stack.control import create_control_app
from veracitypro_pipeline.local.stack.lifecycle import (
    CREDENTIALS_FILE,
    REFUSED_EXIT_CODE,
    SLACK_CHANNEL,
    STATE_FILE,
    Started,
    code_hash,
    read_started,
)
from veracitypro_pipeline.local.stack.playback import Playback
from veracitypro_pipeline.settings import PACKAGE_DIR
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.sources.source import Source

HOST: Final = "127.0.0.1"
RAW_BUCKET: Final = "vp-raw-local-us-east-2"
ENVIRONMENT: Final = "local"
# A folder a source: recorded records of a source without a stand-in.
RECORDED: Final = PACKAGE_DIR / "local" / "sources"
# Open connections get this long to finish when the stack stops.
GRACE_SECONDS: Final = 2
# Between two looks at the state file.
WATCH_SECONDS: Final = 1.0
# HTTP's "Insufficient Storage", which no client of ours asks again.
OUT_OF_SPACE: Final = 507


@dataclass(frozen=True)
class Options:
    """The command line; `folder` is `<home>/stack`."""

    folder: Path
    tracked_products: Path
    connectors: Path


def main() -> int:
    """Serve until SIGTERM. A start that is refused ends with one sentence on standard error."""
    options = _parsed(sys.argv[1:])
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    processes.end_children(options.folder)
    shutil.rmtree(options.folder / "work", ignore_errors=True)
    try:
        listener = _listener()
        credentials = Credentials.load_or_make(options.folder / CREDENTIALS_FILE)
        s3 = start_s3(
            make_private_folder(options.folder / "s3"),
            credentials.aws_access_key_id,
            credentials.aws_secret_access_key,
        )
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        app = _create_app(options, credentials, s3, url)
    except (DamagedFileError, OSError, S3StartError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - read by whoever starts the stack
        return REFUSED_EXIT_CODE
    started = Started(
        pid=os.getpid(),
        url=url,
        s3_url=s3.url,
        tracked_products=str(options.tracked_products),
        connectors=str(options.connectors),
        code=code_hash(),
    )
    write_json(options.folder / STATE_FILE, asdict(started))
    # No access log: Keepa's key stands in URLs.
    config = uvicorn.Config(
        app, access_log=False, log_config=None, timeout_graceful_shutdown=GRACE_SECONDS
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _create_app(options: Options, credentials: Credentials, s3: S3Server, url: str) -> Starlette:
    folder = options.folder
    playback = Playback(folder / "playback.json", options.tracked_products)
    inbox = Inbox(make_private_folder(folder / "slack") / "messages.jsonl", playback.now)
    refreshes = Refreshes(make_private_folder(folder / "powerbi") / "refreshes.json", playback.now)
    jobs = JobStore(folder / "airbyte.json", playback.now)
    client = s3_client(s3.url, credentials.aws_access_key_id, credentials.aws_secret_access_key)

    # What a connector needs to know of a stand-in, by source.
    stand_ins = {
        KEEPA.name: {"base_url": f"{url}/keepa", "api_key": credentials.keepa_api_key},
    }

    def connection_of(source: Source) -> Connection:
        manifest = options.connectors / source.manifest
        of_stand_in = stand_ins.get(source.name)

        def reader(work: Path) -> Reader:
            if of_stand_in is None:
                return Replay(RECORDED / source.name)
            return Connector(manifest, source.secrets, work)

        def source_config() -> dict[str, Any]:
            return {**source.configuration(playback.source().tracked()), **(of_stand_in or {})}

        return Connection(
            source=source,
            manifest=manifest,
            source_config=source_config,
            inputs=playback.inputs,
            reader=reader,
            buckets={
                stream.name: Bucket(client, RAW_BUCKET, stream.prefix(ENVIRONMENT))
                for stream in source.streams
            },
        )

    work = make_private_folder(folder / "work")
    syncs = [Syncs(connection_of(source), jobs, playback.now, work) for source in SOURCES]

    def health() -> dict[str, Any] | None:
        if not s3.is_running:
            return None
        return {"pid": os.getpid(), "now": playback.now().isoformat()}

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(_end_with_its_state(folder))
        try:
            yield
            watch.cancel()
            for of_source in syncs:
                of_source.shut_down()
        finally:
            s3.stop()
            if _is_ours(folder):
                (folder / STATE_FILE).unlink()

    keepa = create_keepa_app(
        api_key=credentials.keepa_api_key, now=playback.now, source=playback.source
    )
    airbyte = create_airbyte_app(credentials=credentials, syncs=syncs, jobs=jobs, now=playback.now)
    slack = create_slack_app(
        bot_token=credentials.slack_bot_token,
        webhook_secret=credentials.slack_webhook_secret,
        channel=SLACK_CHANNEL,
        inbox=inbox,
    )
    powerbi = create_powerbi_app(credentials=credentials, refreshes=refreshes)
    control = create_control_app(
        token=credentials.control_token,
        health=health,
        playback=playback,
        jobs=jobs,
        inbox=inbox,
        refreshes=refreshes,
    )
    for app in (keepa, airbyte, slack, powerbi, control):
        app.add_exception_handler(OSError, _out_of_space)
    return Starlette(
        routes=[
            Mount("/keepa", keepa),
            Mount("/airbyte", airbyte),
            Mount("/slack", slack),
            Mount("/powerbi", powerbi),
            Mount("/control", control),
        ],
        lifespan=lifespan,
    )


def _out_of_space(_request: Request, error: Exception) -> Response:
    """In the words of each API: `error` is the control's and Power BI's, `message` the others'."""
    said = full_disk.message_of(error)
    if said is None:
        raise error
    return JSONResponse({"error": said, "message": said}, OUT_OF_SPACE)


async def _end_with_its_state(folder: Path) -> None:
    """Nobody finds a server whose state file is gone, to stop it."""
    while _is_ours(folder):
        await asyncio.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_ours(folder: Path) -> bool:
    started = read_started(folder)
    return started is not None and started.pid == os.getpid()


def _listener() -> socket.socket:
    """On a free port."""
    listener = socket.socket()
    listener.bind((HOST, 0))
    return listener


def _parsed(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="veracitypro_pipeline.local.stack.server")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tracked-products", type=Path, required=True)
    parser.add_argument("--connectors", type=Path, required=True)
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
