"""Masks secrets in text of services, before a person or a table gets it.

Services quote what they were sent: Airbyte an address with Keepa's key, a sign-in the client's
secret, boto3 a signed URL. So their text is masked wherever it becomes part of an error: secret
settings by their value, all else by its form. When in doubt, text is masked.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "****"
# A shorter value would match parts of ordinary words.
SHORTEST_SECRET: Final = 6

_NAME: Final = (
    r"(?:api_?key|secret(?:_access_key)?|private_key|token|client_assertion"
    r"|pass(?:word|phrase|wd)|signature|credential)"
)
# The first group is the text before the secret, which is kept. No pattern backtracks far, so a
# megabyte of any text is masked quickly.
_FORMS: Final = (
    # In the query of a URL or in form data; `key` is Keepa's.
    rf"((?:(?:(?<![\w-])|(?<=%3F)|(?<=%26))key|{_NAME})(?:=|%3D))[^\s&\"'<>,;]+",
    # In JSON, in JSON within a JSON string, and in JSON that was cut. The closing quote is kept, so
    # that masking a text twice changes nothing.
    rf"({_NAME}(?P<quote>\\?[\"'])\s*:\s*(?P=quote)).*?(?=(?<!\\)(?P=quote)|\Z)",
    r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|digest|token)\s+)[^\s\"',]+",
    r"(\bbearer\s+)[\w.~+/=-]{8,}",
    # Before the host of a URL; the password need not be URL-encoded.
    r"(//)[^\s/@\"']{1,200}(?=@)",
    r"(//|(?<![\w.+-]))[\w.+-]{1,64}:(?!//)[^\s@\"']{1,200}(?=@)",
    # By their own form: Slack's webhooks and tokens, and JWTs.
    r"(//[^\s/]{1,200}/services/)[^\s\"')]+",
    r"(\b)(?:xox[a-z]-[\w-]{6,}|eyJ[\w-]{6,}\.[\w-]+\.[\w-]*)",
)
_FORM: Final = [re.compile(form, re.IGNORECASE | re.DOTALL) for form in _FORMS]

_known: set[str] = set()


def learn(secrets: Iterable[str]) -> None:
    """Mask these values in all text of this process from now on."""
    _known.update(_spellings(secrets))


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with secrets masked; `secrets` are further values to mask.

    >>> masked("GET https://api.keepa.com/token?key=0123abc&domain=1")
    'GET https://api.keepa.com/token?key=****&domain=1'
    """
    for secret in sorted(_known | _spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for form in _FORM:
        text = form.sub(rf"\g<1>{MASK}", text)
    return text


class MaskedError(Exception):
    """Replaces an error whose text held a secret; the message is its class and masked text."""


def mask_error(error: BaseException) -> BaseException:
    """The error itself, or a `MaskedError` if its text holds a secret.

    The errors that caused it are masked, too, because a traceback shows them.
    """
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None and (shown := mask_error(behind)) is not behind:
        error.__cause__ = shown
    text = str(error)
    if masked(text) == text:
        return error
    stand_in = MaskedError(f"{type(error).__name__}: {masked(text)}")
    stand_in.__cause__ = error.__cause__ or behind
    return stand_in.with_traceback(error.__traceback__)


def _spellings(secrets: Iterable[str]) -> set[str]:
    """The values as they are, and URL-encoded."""
    return {
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for spelling in (secret, quote(secret, safe=""), quote_plus(secret))
    }
