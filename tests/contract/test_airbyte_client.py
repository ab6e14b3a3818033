"""Our Airbyte client against servers that misbehave: which calls it retries, and which never."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.airbyte.client import SyncClient
from veracitypro_pipeline.settings import Settings

Serve = Callable[[Starlette], str]
ACCOUNT = {
    "airbyte_workspace_id": "w",
    "airbyte_connection_id": "c",
    "airbyte_client_id": "i",
    "airbyte_poll_seconds": 0.01,
}


class Airbyte:
    """Returns scripted responses, one per request, and counts the requests."""

    def __init__(self, *answers: Response) -> None:
        self.asked: list[str] = []
        self.wanted: list[dict[str, str]] = []
        self.tokens = 0
        self._answers: Iterator[Response] = iter(answers)

    def app(self) -> Starlette:
        def token(_: Request) -> Response:
            self.tokens += 1
            return JSONResponse({"access_token": f"t{self.tokens}"})

        def any_call(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            named = ("createdAtStart", "limit", "offset")
            self.wanted.append({name: request.query_params.get(name, "") for name in named})
            return next(self._answers)

        every = ["GET", "POST", "DELETE"]
        return Starlette(
            routes=[
                Route("/applications/token", token, methods=["POST"]),
                Route("/{path:path}", any_call, methods=every),
            ]
        )


@pytest.fixture
def client(serve: Serve) -> Callable[..., SyncClient]:
    def make(airbyte: Airbyte, **settings: Any) -> SyncClient:
        url = serve(airbyte.app())
        known = Settings.load(airbyte_api_url=url, **ACCOUNT, **settings)
        return SyncClient.from_settings(
            known.model_copy(update={"airbyte_client_secret": SecretStr("s")}), "c"
        )

    return make


def job(status: str, **fields: Any) -> Response:
    return JSONResponse({"jobId": 7, "status": status, **fields})


def test_a_read_is_retried_after_a_transient_error(client: Callable[..., SyncClient]) -> None:
    airbyte = Airbyte(PlainTextResponse("away", 503), job("succeeded"))
    assert client(airbyte).find_job(7) == {"jobId": 7, "status": "succeeded"}
    assert airbyte.asked == ["GET /jobs/7"] * 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_start_is_never_retried_because_it_may_have_begun_a_sync(
    client: Callable[..., SyncClient], status: int
) -> None:
    airbyte = Airbyte(PlainTextResponse("away", status), job("running"))
    with pytest.raises(TransientFailure, match=f"Airbyte answered {status} to POST"):
        client(airbyte).start()
    assert airbyte.asked == ["POST /jobs"]


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_a_rejection_is_permanent_and_keeps_airbytes_message(
    client: Callable[..., SyncClient], status: int
) -> None:
    airbyte = Airbyte(JSONResponse({"detail": "A sync is already running"}, status))
    with pytest.raises(PermanentFailure, match="A sync is already running") as refusal:
        client(airbyte).start()
    assert refusal.value.status_code == status


def test_a_token_that_expired_early_is_renewed_once(client: Callable[..., SyncClient]) -> None:
    airbyte = Airbyte(PlainTextResponse("expired", 401), job("succeeded"))
    made = client(airbyte)
    assert made.find_job(7) is not None
    assert airbyte.tokens == 2

    lasting = Airbyte(PlainTextResponse("no", 401), PlainTextResponse("no", 401))
    with pytest.raises(PermanentFailure, match="401"):
        client(lasting).find_job(7)


def test_a_job_that_airbyte_forgot_is_none(client: Callable[..., SyncClient]) -> None:
    assert client(Airbyte(PlainTextResponse("gone", 404))).find_job(7) is None


def test_the_running_job_is_found_among_the_newest(client: Callable[..., SyncClient]) -> None:
    jobs = [{"jobId": 8, "status": "running"}, {"jobId": 9, "status": "failed"}]
    found = client(Airbyte(JSONResponse({"data": jobs}))).running_job()
    assert found == jobs[0]


def test_all_pages_of_jobs_are_read(client: Callable[..., SyncClient]) -> None:
    """A week of failures and of syncs by hand is more than one page."""
    jobs = [{"jobId": number, "status": "failed"} for number in range(130, 0, -1)]
    airbyte = Airbyte(JSONResponse({"data": jobs[:100]}), JSONResponse({"data": jobs[100:]}))
    assert client(airbyte).jobs_since(datetime(2026, 1, 24, tzinfo=UTC)) == jobs
    assert airbyte.wanted == [
        {"createdAtStart": "2026-01-24T00:00:00Z", "limit": "100", "offset": offset}
        for offset in ("0", "100")
    ]


def test_waiting_ends_with_success(client: Callable[..., SyncClient]) -> None:
    seen: list[str] = []
    airbyte = Airbyte(job("pending"), job("running"), job("incomplete"), job("succeeded"))
    assert client(airbyte).wait(7, seen.append)["status"] == "succeeded"
    assert seen == ["pending", "running", "incomplete"]


def test_a_failed_job_is_transient_and_a_cancelled_one_permanent(
    client: Callable[..., SyncClient],
) -> None:
    with pytest.raises(TransientFailure, match="ended as 'failed': key refused"):
        client(Airbyte(job("failed", failureReason="key refused"))).wait(7, print)
    with pytest.raises(PermanentFailure, match="was cancelled in Airbyte"):
        client(Airbyte(job("cancelled"))).wait(7, print)


def test_a_reason_that_quotes_keepas_url_is_shown_without_the_key(
    client: Callable[..., SyncClient],
) -> None:
    reason = "403 for https://api.keepa.com/product?key=0123abc&domain=1"
    with pytest.raises(TransientFailure) as failure:
        client(Airbyte(job("failed", failureReason=reason))).wait(7, print)
    assert "product?key=****&domain=1" in str(failure.value.description)
    made = client(Airbyte(JSONResponse({"status": "failed", "message": reason})))
    at_one_address = {"configuration_api_base_url": made.rest_api_base_url}
    assert "key=****&" in str(made.model_copy(update=at_one_address).source_fault("s"))


def test_waiting_ends_at_the_timeout(client: Callable[..., SyncClient]) -> None:
    airbyte = Airbyte(*[job("running")] * 100)
    with pytest.raises(TransientFailure, match="AIRBYTE_TIMEOUT_SECONDS"):
        client(airbyte, airbyte_timeout_seconds=0.05).wait(7, print)


@pytest.mark.parametrize("garbage", ["<html>", "[1, 2]", ""])
def test_an_unreadable_answer_is_transient(client: Callable[..., SyncClient], garbage: str) -> None:
    with pytest.raises(TransientFailure):
        client(Airbyte(PlainTextResponse(garbage))).find_job(7)


def test_a_refused_connection_is_transient_and_the_message_has_no_query() -> None:
    settings = Settings.load(airbyte_api_url="http://127.0.0.1:1", **ACCOUNT)
    made = SyncClient.from_settings(
        settings.model_copy(update={"airbyte_client_secret": SecretStr("s")}), "c"
    )
    with pytest.raises(TransientFailure, match=r"Airbyte did not answer at http://127\.0\.0\.1:1/"):
        made.start()
