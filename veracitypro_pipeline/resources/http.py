"""HTTP as all our REST clients speak it: bounded repeats of what is safe, one reading of statuses.

Reads are repeated inside the request (urllib3), a POST never is: a request that timed out may have
been carried out, so the step decides what a second one would mean.
"""

from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.timeout import within
from veracitypro_pipeline.settings import asked_through_a_proxy

TIMEOUT_SECONDS: Final = 30.0
TRANSIENT_STATUSES: Final = (408, 429, 500, 502, 503, 504)
SHOWN_BODY_CHARACTERS: Final = 300

# A service may ask for a longer wait; the step's own retries, minutes apart, are for that.
RETRY_AFTER_SECONDS: Final = 60
# For a whole call with its repeats: four tries that end just before their time-out, with the
# longest waits between them.
CALL_SECONDS: Final = 4 * TIMEOUT_SECONDS + 3 * RETRY_AFTER_SECONDS

# 0.5 s doubling: three repeats spend 3.5 s, or what Retry-After says.
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
    """Let the session repeat reads that failed for a passing reason.

    Without a sign-in of its own, requests would take one from the user's `.netrc` and replace the
    token in our header by it.
    """
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_RETRY))
    session.auth = _as_it_is
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def answer_to(
    service: str, session: requests.Session, method: str, url: str, **options: Any
) -> requests.Response:
    """The answer to a request, read to its end; `options` are those of `session.request`.

    Raises:
        TransientFailure: there is none, or none within `CALL_SECONDS`.
    """
    try:
        return within(CALL_SECONDS, lambda: session.request(method, url, **options))
    except (requests.RequestException, TimeoutError) as error:
        raise unreachable(service, url, error) from error


def refuse_errors(service: str, response: requests.Response, *, is_sign_in: bool = False) -> None:
    """Turn an HTTP error into the failure that says whether a retry can help.

    What a sign-in answers is not shown: it may repeat the secret it was sent, in any form.

    Raises:
        TransientFailure: 408, 429 and 5xx. PermanentFailure: every other status from 400 on.
    """
    if response.status_code < 400:
        return
    if (full := full_disk.relayed(response.text)) is not None and not is_sign_in:
        # Of a stand-in, which keeps what it knows on this machine.
        raise PermanentFailure(full, status_code=response.status_code)
    sentence = (
        f"{service} answered {response.status_code} to {response.request.method}"
        f" {_without_query(response.url)}:"
        f" {'what a sign-in says is not shown.' if is_sign_in else _shortened(response.text)}"
    )
    if response.status_code in TRANSIENT_STATUSES:
        raise TransientFailure(f"{sentence} It is tried again later.")
    raise PermanentFailure(
        f"{sentence} Correct the setting or the permission, then run it again.",
        status_code=response.status_code,
    )


def unreachable(service: str, url: str, error: Exception) -> TransientFailure:
    """The failure for a request that got no answer."""
    return TransientFailure(
        f"{service} did not answer at {_without_query(url)} ({type(error).__name__})."
        f"{asked_through_a_proxy(url)} It is tried again later."
    )


def _without_query(url: str) -> str:
    return url.split("?", 1)[0]


def _shortened(body: str) -> str:
    # Masked first: half of a secret looks like none.
    text = masked(" ".join(body.split())) or "an empty body"
    return text if len(text) <= SHOWN_BODY_CHARACTERS else f"{text[:SHOWN_BODY_CHARACTERS]}..."
