"""What the stand-ins' tests share: one running stack, and any ASGI app behind a loopback port."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from veracitypro_pipeline.local.stack.lifecycle import (
    StackState,
    ensure_stack,
    stop_stack,
)

TRACKED_PRODUCTS = """domain_id,asin,role,product_line
1,B0PADDLE01,own,Carbon
1,B0PADDLE02,competitor,Carbon
3,B0PADDLE01,own,Carbon
"""


@pytest.fixture(scope="session")
def tracked_products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seeds") / "tracked_products.csv"
    path.write_text(TRACKED_PRODUCTS)
    return path


@pytest.fixture(scope="session")
def local_stack(
    tmp_path_factory: pytest.TempPathFactory, tracked_products: Path
) -> Iterator[StackState]:
    """One stack for all tests that do not end it; each sets the day and products that it needs."""
    home = tmp_path_factory.mktemp("home")
    yield ensure_stack(home, tracked_products=tracked_products)
    stop_stack(home)


@pytest.fixture
def serve() -> Iterator[Callable[[Starlette], str]]:
    """Give an ASGI app a free loopback port for the test and return its address."""
    with servers() as start:
        yield start


@contextmanager
def servers() -> Iterator[Callable[[Starlette], str]]:
    """The same for any length of time."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Starlette) -> str:
        # A bound, listening socket queues connections until the server takes them.
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    try:
        yield start
    finally:
        for server, thread in running:
            server.should_exit = True
            thread.join()
