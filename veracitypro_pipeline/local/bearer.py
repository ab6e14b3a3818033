"""Bearer tokens over HTTP: reading, comparing, issuing ones that expire.

Not here: how a service words its refusal.
"""

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
    """Compare without telling by the time taken how much was right."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), expected.encode())


class AccessTokens:
    """Tokens handed out at sign-in, each good for `lifetime_seconds`."""

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
