"""Bearer tokens over HTTP: read them from a request, compare secrets, issue tokens that expire."""

import hmac
import secrets
import time
from typing import Final

from starlette.requests import Request

_SCHEME: Final = "bearer "


def bearer_token(request: Request) -> str:
    """The token of the Authorization header; empty if there is none."""
    header = request.headers.get("authorization", "")
    return header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else ""


def same_secret(given: object, expected: str) -> bool:
    """Compare in constant time, so that timing does not reveal a matching prefix."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())


class AccessTokens:
    """Tokens issued at sign-in, each valid for `lifetime_seconds`."""

    def __init__(self, lifetime_seconds: float) -> None:
        self.lifetime_seconds = lifetime_seconds
        self._expiry: dict[str, float] = {}

    def issue(self) -> str:
        now = time.monotonic()
        self._expiry = {token: end for token, end in self._expiry.items() if end > now}
        token = secrets.token_urlsafe()
        self._expiry[token] = now + self.lifetime_seconds
        return token

    def accepts(self, request: Request) -> bool:
        """Whether the request carries a token that was issued and has not expired."""
        return self._expiry.get(bearer_token(request), 0.0) > time.monotonic()
