"""What a night costs at Keepa: our connector against the local one, which charges as Keepa does."""

import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.bench.harness import Benchmark, cost_of
from tests.bench.landing import Catalogue
from veracitypro_pipeline.local.services.airbyte.connector import Connector
from veracitypro_pipeline.local.sources.keepa.app import create_keepa_app
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource
from veracitypro_pipeline.local.sources.keepa.token_bucket import TokenBucket
from veracitypro_pipeline.sources.connector import CONNECTORS, declared_schema
from veracitypro_pipeline.sources.keepa import KEEPA, OPTIONS, PRODUCT_RAW

_KEY: Final = "k3y0f0urk33pa4cc0unt"
_DOMAIN_ID: Final = 1
_AT: Final = datetime(2026, 1, 2, 0, 10, tzinfo=UTC)
_PLENTY: Final = 1_000_000
# By the contract: 1 for the product, 2 more for the buy box, 1 more for ratings.
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "histories alone": dict.fromkeys(OPTIONS, False),
    "as configured": OPTIONS,
}


def tokens(products: int) -> Benchmark:
    """Tokens and requests of one sync."""
    result = Benchmark(
        "tokens",
        f"what does Keepa charge for {products} products a night?",
        baseline="histories alone",
    )
    source = Catalogue(products).source()
    asins = source.tracked()[_DOMAIN_ID]
    for name, options in _OPTIONS.items():
        with _Keepa(source) as keepa, tempfile.TemporaryDirectory() as folder:
            config = {
                **KEEPA.configuration({_DOMAIN_ID: asins}),
                **options,
                "api_key": _KEY,
                "base_url": keepa.address,
            }
            connector = Connector(CONNECTORS / KEEPA.manifest, KEEPA.secrets, Path(folder))
            schemas = {PRODUCT_RAW.name: declared_schema(CONNECTORS / KEEPA.manifest, PRODUCT_RAW)}
            records: list[Any] = []
            cost = cost_of(
                lambda of=(connector, config, schemas), into=records: into.extend(  # type: ignore[misc]
                    of[0].read(of[1], of[2])
                )
            )
            variant = result.variant(
                name,
                records=len(records),
                requests=keepa.requests,
                tokens=keepa.spent,
                tokens_a_product=keepa.spent / len(asins),
            )
            variant.costs.append(cost)
    return result


class _Keepa:
    """The local Keepa behind a loopback port, with more tokens than are needed."""

    def __init__(self, source: CatalogueSource) -> None:
        self.requests = 0
        self._bucket = TokenBucket(refill_rate=_PLENTY)
        self._before = self._bucket.tokens_left
        self._app = create_keepa_app(
            api_key=_KEY, now=lambda: _AT, source=lambda: source, bucket=self._bucket
        )
        listener = create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self, access_log=False, log_config=None))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})

    @property
    def spent(self) -> int:
        return self._before - self._bucket.tokens_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if scope["type"] == "http" and scope["path"].endswith("/product"):
            self.requests += 1
        await app(scope, receive, send)

    def __enter__(self) -> "_Keepa":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join()
