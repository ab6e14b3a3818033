"""Fixtures of the contract tests: one running stack, and any ASGI app on a loopback port."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr
from starlette.applications import Starlette

from tests.support.servers import servers
from tests.support.snowflake_service import PASSWORD, Service
from veracitypro_pipeline.local.stack.lifecycle import (
    StackState,
    ensure_stack,
    stop_stack,
)
from veracitypro_pipeline.resources.warehouse import on_snowflake
from veracitypro_pipeline.settings import Settings

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
    """One stack for all tests that do not stop it; each sets the day and products it needs."""
    home = tmp_path_factory.mktemp("home")
    yield ensure_stack(home, tracked_products=tracked_products)
    stop_stack(home)


@pytest.fixture
def serve() -> Iterator[Callable[[Starlette], str]]:
    """Serve an ASGI app on a free loopback port during the test; return its URL."""
    with servers() as start:
        yield start


@pytest.fixture
def service() -> Service:
    """A server that answers like Snowflake."""
    return Service()


@pytest.fixture
def settings(
    service: Service, serve: Callable[[Starlette], str], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of a deployment whose Snowflake is `service`, with short timeouts."""
    for name in ("LOGIN", "SOCKET", "NETWORK"):
        monkeypatch.setattr(on_snowflake, f"{name}_TIMEOUT_SECONDS", 1)
    return Settings.load(
        environment="prod",
        snowflake_account="acme",
        snowflake_user="VP_PIPELINE",
        snowflake_password=SecretStr(PASSWORD),
        snowflake_url=HttpUrl(serve(service.app())),
    )
