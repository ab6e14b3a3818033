"""A stand-in for Keepa's product API: GET or POST `/product`, GET `/token`.

Imitates, from Keepa's documentation ("Request Products", "How our API plans work") and the official
Java client (`Request.java`, `Response.java`, `RequestError.java`) as of February 2026: parameters
and their token prices, the response envelope, the token bucket, HTTP 400, 402, 404, 405 and 429
with an error object, gzip, unknown ASINs and texts that are not an ASIN. A malformed key is
answered with 400 and a balance of zero, as the tests of two public clients expect.

Does not imitate: look-up by `code`, refreshing a product because of `update`, the flat price for
offers that are fresh, tariffs that forbid a parameter, throttling of token refills.

Products come from `products.py` and `catalogue.py`. `product_request.py` applies parameters, and
`token_bucket.py` counts tokens.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from veracitypro_pipeline.local.sources.keepa.product_request import (
    BadParameterError,
    ProductRequest,
)
from veracitypro_pipeline.local.sources.keepa.products import (
    PayloadError,
    Product,
    ProductSource,
)
from veracitypro_pipeline.local.sources.keepa.token_bucket import TokenBucket
from veracitypro_pipeline.sources.keepa.vocabulary import INVALID_PRODUCT_TYPE, NO_VALUE, minute_of

# Responses are megabytes: on loopback a higher level costs more time than it saves.
GZIP_LEVEL: Final = 1


def create_keepa_app(
    *,
    api_key: str,
    now: Callable[[], datetime],
    source: Callable[[], ProductSource],
    refill_rate: int = 1200,
    bucket: TokenBucket | None = None,
) -> Starlette:
    """The API as an ASGI application.

    `now` returns the UTC instant of a response and its products. `source` is called at each
    request, because it changes from day to day. `refill_rate` is in tokens per minute, of a bucket
    that starts full; `bucket` overrides it.
    """
    service = _Keepa(api_key, now, source, bucket or TokenBucket(refill_rate))
    return Starlette(
        routes=[
            Route("/product", service.product, methods=["GET", "POST"]),
            Route("/token", service.token, methods=["GET"]),
        ],
        middleware=[Middleware(GZipMiddleware, compresslevel=GZIP_LEVEL)],
        exception_handlers={HTTPException: service.refusal},
    )


@dataclass(frozen=True)
class _Keepa:
    api_key: str
    now: Callable[[], datetime]
    source: Callable[[], ProductSource]
    bucket: TokenBucket

    async def product(self, request: Request) -> Response:
        started, at = time.monotonic(), self.now()
        parameters = await _parameters(request)
        self._sign_in(parameters)
        try:
            asked = ProductRequest.parse(parameters, at)
        except BadParameterError as error:
            raise HTTPException(400, str(error)) from error
        if not self.bucket.admits():
            raise HTTPException(429, "Not enough tokens: wait refillIn milliseconds.")
        try:
            products, tokens = await run_in_threadpool(_answer, self.source(), asked, at)
        except PayloadError as error:
            # A retry does not help, so the sync fails with this sentence.
            raise HTTPException(400, str(error)) from error
        self.bucket.spend(tokens)
        # If none of the texts is an ASIN, Keepa's response has no list.
        has_list = products or any(map(_ASIN.fullmatch, asked.asins))
        answer = {"products": products} if has_list else {}
        return self._respond(200, at, started, tokens=tokens, **answer)

    async def token(self, request: Request) -> Response:
        started, at = time.monotonic(), self.now()
        self._sign_in(request.query_params)
        return self._respond(200, at, started)

    async def refusal(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = _ERROR_TYPES.get(error.status_code, "requestRejected")
        # A malformed key has no account, so its balance is zero.
        balance = _NO_ACCOUNT if isinstance(error, _MalformedKeyError) else {}
        body = {"type": kind, "message": error.detail, "details": ""}
        return self._respond(error.status_code, self.now(), time.monotonic(), error=body, **balance)

    def _sign_in(self, parameters: Mapping[str, str]) -> None:
        key = parameters.get("key", "")
        if key == self.api_key:
            return
        if not _KEY.fullmatch(key):
            raise _MalformedKeyError(400, "The API key is malformed or missing.")
        raise HTTPException(402, "The API key is invalid or has no paid subscription.")

    def _respond(
        self, status: int, at: datetime, started: float, tokens: int = 0, **content: Any
    ) -> Response:
        envelope = {
            "timestamp": int(at.timestamp() * 1000),
            "tokensLeft": self.bucket.tokens_left,
            "refillIn": self.bucket.refill_in_ms,
            "refillRate": self.bucket.refill_rate,
            "tokenFlowReduction": 0.0,
            "tokensConsumed": tokens,
            "processingTimeInMs": int((time.monotonic() - started) * 1000),
            **content,
        }
        text = json.dumps(envelope, separators=(",", ":"))
        return Response(text, status, media_type="application/json")


class _MalformedKeyError(HTTPException):
    """The text sent as API key is not one."""


# An API key, and an ASIN: Amazon's own, or an ISBN-10.
_KEY: Final = re.compile(r"[0-9A-Za-z]{64}")
_ASIN: Final = re.compile(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]")
_NO_ACCOUNT: Final = {"tokensLeft": 0, "refillIn": 0, "refillRate": 0}
_ERROR_TYPES: Final = {
    400: "invalidParameter",
    402: "paymentRequired",
    404: "notFound",
    405: "methodNotAllowed",
    429: "notEnoughToken",
}


async def _parameters(request: Request) -> Mapping[str, str]:
    """Query parameters, overridden by those of a POST's form."""
    parameters = dict(request.query_params)
    if request.method == "POST":
        parameters |= parse_qsl((await request.body()).decode(errors="replace"))
    return parameters


def _answer(
    source: ProductSource, asked: ProductRequest, at: datetime
) -> tuple[list[Product], int]:
    """The products of one request and their price in tokens."""
    products, tokens = [], 0
    for asin in asked.asins:
        product = source.product(asked.domain_id, asin, at)
        if product is None and not _ASIN.fullmatch(asin):
            continue
        price = asked.cost(product)
        tokens += price
        if product is None:
            if price:  # update=-1: no price, no product.
                products.append(_unknown_product(asked.domain_id, asin, minute_of(at)))
        else:
            products.append(product if source.is_recorded else asked.select(product, at))
    return products, tokens


def _unknown_product(domain_id: int, asin: str, minute: int) -> Product:
    """Keepa's object for an ASIN that it does not know: only the time of the request."""
    return {
        "productType": INVALID_PRODUCT_TYPE,
        "asin": asin,
        "domainId": domain_id,
        "trackingSince": minute,
        "lastUpdate": minute,
        "lastPriceChange": minute,
        "lastRatingUpdate": NO_VALUE,
        "lastEbayUpdate": 0,
        "listedSince": 0,
        "availabilityAmazon": NO_VALUE,
        "rootCategory": 0,
        "salesRankReference": NO_VALUE,
        "publicationDate": NO_VALUE,
        "releaseDate": NO_VALUE,
        "offersSuccessful": False,
        "g": 0,
        **dict.fromkeys(_UNKNOWN_NULLS),
        **dict.fromkeys(_UNKNOWN_FLAGS, False),
        **dict.fromkeys(_UNKNOWN_SIZES, NO_VALUE),
    }


_UNKNOWN_NULLS: Final = (
    "author",
    "binding",
    "brand",
    "buyBoxSellerIdHistory",
    "categories",
    "categoryTree",
    "color",
    "coupon",
    "csv",
    "description",
    "eanList",
    "ebayListingIds",
    "edition",
    "fbaFees",
    "features",
    "format",
    "frequentlyBoughtTogether",
    "languages",
    "liveOffersOrder",
    "manufacturer",
    "model",
    "parentAsin",
    "partNumber",
    "productGroup",
    "promotions",
    "salesRankReferenceHistory",
    "salesRanks",
    "size",
    "stats",
    "title",
    "type",
    "upcList",
    "variations",
)
_UNKNOWN_FLAGS: Final = (
    "hasReviews",
    "isAdultProduct",
    "isEligibleForSuperSaverShipping",
    "isEligibleForTradeIn",
    "isRedirectASIN",
    "isSNS",
    "launchpad",
)
_UNKNOWN_SIZES: Final = (
    "itemHeight",
    "itemLength",
    "itemWeight",
    "itemWidth",
    "numberOfItems",
    "numberOfPages",
    "packageHeight",
    "packageLength",
    "packageQuantity",
    "packageWeight",
    "packageWidth",
)
