"""Takes secrets out of text that others have written, before a person or a table sees it.

Services quote what they were sent: Airbyte an address with Keepa's key, a sign-in the client's
secret, boto3 a signed URL. So text of a service is masked wherever it becomes part of an error:
what the settings call secret by its value, everything else by the form in which it is written.

Rather too much is masked than too little. Not here: who is told what.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "****"
# A shorter value stands in too many words.
SHORTEST_SECRET: Final = 6

_NAME: Final = (
    r"(?:api_?key|secret(?:_access_key)?|private_key|token|client_assertion"
    r"|pass(?:word|phrase|wd)|signature|credential)"
)
# Each keeps what is before the secret in its first group. None looks back over what it has read, so
# that a megabyte of anything is soon done.
_FORMS: Final = (
    # In the query of an address or in a form; `key` is Keepa's.
    rf"((?:(?:(?<![\w-])|(?<=%3F)|(?<=%26))key|{_NAME})(?:=|%3D))[^\s&\"'<>,;]+",
    # In JSON, also in JSON that stands in a text of JSON, and where its end is cut off. The quote
    # at its end stays, for a text that is masked again to stay as it is.
    rf"({_NAME}(?P<quote>\\?[\"'])\s*:\s*(?P=quote)).*?(?=(?<!\\)(?P=quote)|\Z)",
    r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|digest|token)\s+)[^\s\"',]+",
    r"(\bbearer\s+)[\w.~+/=-]{8,}",
    # Before the host of an address; a password may hold what an address may not.
    r"(//)[^\s/@\"']{1,200}(?=@)",
    r"(//|(?<![\w.+-]))[\w.+-]{1,64}:(?!//)[^\s@\"']{1,200}(?=@)",
    # By their own form: Slack's webhooks and tokens, and what every sign-in with a JWT hands out.
    r"(//[^\s/]{1,200}/services/)[^\s\"')]+",
    r"(\b)(?:xox[a-z]-[\w-]{6,}|eyJ[\w-]{6,}\.[\w-]+\.[\w-]*)",
)
_FORM: Final = [re.compile(form, re.IGNORECASE | re.DOTALL) for form in _FORMS]

_known: set[str] = set()


def learn(secrets: Iterable[str]) -> None:
    """Mask these values in every text of this process from now on."""
    _known.update(_spellings(secrets))


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without what is secret; `secrets` are further values to mask in it.

    >>> masked("GET https://api.keepa.com/token?key=0123abc&domain=1")
    'GET https://api.keepa.com/token?key=****&domain=1'
    """
    for secret in sorted(_known | _spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for form in _FORM:
        text = form.sub(rf"\g<1>{MASK}", text)
    return text


class MaskedError(Exception):
    """Stands for an error whose text held a secret; says its class and the rest of the text."""


def mask_error(error: BaseException) -> BaseException:
    """The error to raise in place of this one: itself, unless its text holds a secret.

    The errors behind it are shown with it, and are masked too.
    """
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None and (shown := mask_error(behind)) is not behind:
        error.__cause__ = shown
    said = str(error)
    if masked(said) == said:
        return error
    stand_in = MaskedError(f"{type(error).__name__}: {masked(said)}")
    stand_in.__cause__ = error.__cause__ or behind
    return stand_in.with_traceback(error.__traceback__)


def _spellings(secrets: Iterable[str]) -> set[str]:
    """The values as they are, and as an address writes them."""
    return {
        spelling
        for secret in secrets
        if len(secret) >= SHORTEST_SECRET
        for spelling in (secret, quote(secret, safe=""), quote_plus(secret))
    }
