"""The connector manifest as Airbyte runs it, and the stand-in for Keepa that it reads."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import yaml
from airbyte_cdk.models import SyncMode  # type: ignore[attr-defined]
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)
from airbyte_cdk.test.catalog_builder import CatalogBuilder
from airbyte_cdk.test.entrypoint_wrapper import discover, read
from airbyte_cdk.test.models import ExpectedOutcome
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from veracitypro_pipeline.local.sources.keepa.app import create_keepa_app
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource
from veracitypro_pipeline.local.sources.keepa.products import ProductSource
from veracitypro_pipeline.local.sources.keepa.token_bucket import TokenBucket
from veracitypro_pipeline.settings import REPOSITORY_DIR

MANIFEST: Final = yaml.safe_load((REPOSITORY_DIR / "infra/airbyte/source_keepa.yaml").read_text())
KEY: Final = "k3y0f0urk33pa4cc0unt"
AT: Final = datetime(2026, 1, 15, 0, 10, tzinfo=UTC)
# The `sleep` that airbyte-cdk calls before a retry.
PAUSES: Final = "airbyte_cdk.sources.streams.http.rate_limiting.time"


class Keepa:
    """The stand-in, and the requests that reached it."""

    def __init__(self, source: ProductSource, bucket: TokenBucket | None = None) -> None:
        self.queries: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.faults: list[int | Response] = []
        self._app = create_keepa_app(
            api_key=KEY, now=lambda: AT, source=lambda: source, bucket=bucket
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if scope["type"] == "http":
            query = parse_qs(scope["query_string"].decode())
            self.queries.append({name: ",".join(values) for name, values in query.items()})
            self.paths.append(scope["path"])
            if self.faults:
                fault = self.faults.pop(0)
                app = fault if isinstance(fault, Response) else JSONResponse({}, fault)
        await app(scope, receive, send)


class Connector:
    """The manifest with a configuration, as Airbyte would run it."""

    def __init__(self, address: str, asins: dict[int, list[str]], **options: Any) -> None:
        marketplaces = [{"domain_id": domain_id, "asins": of} for domain_id, of in asins.items()]
        self._config = {
            "api_key": KEY,
            "base_url": address,
            "marketplaces": marketplaces,
            **options,
        }
        self._catalog = CatalogBuilder().with_stream("product_raw", SyncMode.full_refresh).build()
        self._source = ConcurrentDeclarativeSource(
            catalog=self._catalog, config=self._config, state=[], source_config=MANIFEST
        )

    def read(self, outcome: ExpectedOutcome = ExpectedOutcome.EXPECT_SUCCESS) -> "Reading":
        output = read(self._source, self._config, self._catalog, expected_outcome=outcome)
        return Reading(
            records=[message.record.data for message in output.records if message.record],
            errors=[message.trace.error for message in output.errors if message.trace],
            log_lines=[message.log.message for message in output.logs if message.log],
        )

    def check(self) -> Any:
        return self._source.check(logging.getLogger("airbyte"), self._config)

    def streams(self) -> dict[str, Any]:
        catalog = discover(self._source, self._config).catalog.catalog
        assert catalog is not None
        return {stream.name: stream for stream in catalog.streams}


@dataclass(frozen=True)
class Reading:
    """The output of the connector: records, errors in order, log lines."""

    records: list[dict[str, Any]]
    errors: list[Any]
    log_lines: list[str]


def empty_catalogue() -> CatalogueSource:
    """Every ASIN is unknown, so responses are small."""
    return CatalogueSource([])
