"""HTTP for our REST clients: bounded retries, and one mapping of statuses to failures.

urllib3 retries GET and DELETE within a call. A POST is never retried here: one that timed out may
have been carried out, so the step decides whether to send another.
"""

from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.timeout import within
from veracitypro_pipeline.settings import proxy_hint

TIMEOUT_SECONDS: Final = 30.0
TRANSIENT_STATUSES: Final = (408, 429, 500, 502, 503, 504)
SHOWN_BODY_CHARACTERS: Final = 300

# The longest Retry-After to wait for; longer waits are left to the retries of the step.
RETRY_AFTER_SECONDS: Final = 60
# For a whole call: four tries just short of their timeout, and three of the longest waits.
CALL_SECONDS: Final = 4 * TIMEOUT_SECONDS + 3 * RETRY_AFTER_SECONDS

# Three retries wait 0.5, 1 and 2 s, or as long as Retry-After asks.
_RETRY: Final = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=TRANSIENT_STATUSES,
    allowed_methods=frozenset({"GET", "DELETE"}),
    raise_on_status=False,
    respect_retry_after_header=True,
    retry_after_max=RETRY_AFTER_SECONDS,
)


def mount_retries(session: requests.Session) -> requests.Session:
    """Let the session retry GET and DELETE after a transient error; return it.

    Without an `auth` of its own, requests would replace the token in our header by a password from
    the user's `.netrc`.
    """
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
    session.auth = _unchanged
    return session


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def answer_to(
    service: str, session: requests.Session, method: str, url: str, **options: Any
) -> requests.Response:
    """The complete response to a request; `options` are those of `session.request`.

    Raises:
        TransientFailure: no response, or none within `CALL_SECONDS`.
    """
    try:
        return within(CALL_SECONDS, lambda: session.request(method, url, **options))
    except (requests.RequestException, TimeoutError) as error:
        raise unreachable(service, url, error) from error


def raise_for_status(
    service: str, response: requests.Response, *, is_sign_in: bool = False
) -> None:
    """Raise if the response has an error status.

    The body of a sign-in is left out of the message: it may repeat the secret that was sent.

    Raises:
        TransientFailure: one of `TRANSIENT_STATUSES`.
        PermanentFailure: every other status from 400 on.
    """
    if response.status_code < 400:
        return
    if (full := full_disk.relayed(response.text)) is not None and not is_sign_in:
        # Only a stand-in says this: its state is on this machine.
        raise PermanentFailure(full, status_code=response.status_code)
    sentence = (
        f"{service} answered {response.status_code} to {response.request.method}"
        f" {_without_query(response.url)}:"
        f" {'the body of a sign-in is not shown.' if is_sign_in else _shortened(response.text)}"
    )
    if response.status_code in TRANSIENT_STATUSES:
        raise TransientFailure(f"{sentence} The request is retried later.")
    raise PermanentFailure(
        f"{sentence} Correct the setting or the permission, then run it again.",
        status_code=response.status_code,
    )


def unreachable(service: str, url: str, error: Exception) -> TransientFailure:
    """The failure for a request that got no answer."""
    return TransientFailure(
        f"{service} did not answer at {_without_query(url)} ({type(error).__name__})."
        f"{proxy_hint(url)} The request is retried later."
    )


def _without_query(url: str) -> str:
    return url.split("?", 1)[0]


def _shortened(body: str) -> str:
    # Mask before cutting: half of a secret would not be recognized.
    text = masked(" ".join(body.split())) or "an empty body"
    return text if len(text) <= SHOWN_BODY_CHARACTERS else f"{text[:SHOWN_BODY_CHARACTERS]}..."
