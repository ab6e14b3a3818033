"""A stand-in for Power BI: sign-in of a service principal, one dataset and its refreshes.

Imitates, from the Power BI REST API reference ("Refresh Dataset In Group", "Get Refresh History In
Group", "Get Dataset In Group") and the Microsoft identity platform's client credentials flow: the
token endpoint, 202 with the request id in headers, HTTP 400 while another refresh runs, history
newest first with status Unknown until the end, 401, 404.

Does not imitate: reading any data, the daily limit of refreshes, enhanced refresh, notifications,
token scopes beyond their presence.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import parse_qsl

from pydantic import FiniteFloat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from veracitypro_pipeline.local.bearer import AccessTokens, same_secret
from veracitypro_pipeline.local.clock import api_time
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.private_files import read_json, write_json

REFRESH_SECONDS: Final = 0.5
TOKEN_SECONDS: Final = 3599
Outcome = Literal["Completed", "Failed", "Disabled", "Cancelled"]
OUTCOMES: Final = get_args(Outcome)
RUNNING: Final = "Unknown"


@dataclass
class Kept:
    """A refresh as stored in the file; `over_at` is the end in real time, seconds of the epoch."""

    requestId: str  # noqa: N815 - Power BI's names
    startTime: str  # noqa: N815
    endTime: str  # noqa: N815
    outcome: Outcome
    over_at: FiniteFloat


@dataclass
class Refreshes:
    """The dataset's refresh history, in a file.

    `seconds` (real time) is how long a refresh takes, `outcome` how the next ones end; set them to
    rehearse a slow or failing refresh. Start and end times are of the stack's clock.
    """

    path: Path
    now: Callable[[], datetime]
    seconds: float = REFRESH_SECONDS
    outcome: str = "Completed"

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = [asdict(kept) for kept in read_json(self.path, list[Kept]) or []]

    def start(self) -> str | None:
        """Begin a refresh and return its request id; None if one is running."""
        with self._lock:
            if self._kept and self._is_running(self._kept[-1]):
                return None
            started_at = self.now()
            request_id = str(uuid.uuid4())
            self._kept.append(
                {
                    "requestId": request_id,
                    "startTime": api_time(started_at),
                    "endTime": api_time(started_at + timedelta(seconds=self.seconds)),
                    "outcome": self.outcome,
                    "over_at": time.time() + self.seconds,
                }
            )
            write_json(self.path, self._kept)
            return request_id

    def newest(self, count: int) -> list[dict[str, Any]]:
        """The latest refreshes as the API returns them, newest first."""
        with self._lock:
            kept = self._kept[::-1][:count]
            numbers = range(len(self._kept), 0, -1)
            return [self._entry(number, one) for number, one in zip(numbers, kept, strict=False)]

    def _entry(self, number: int, kept: dict[str, Any]) -> dict[str, Any]:
        entry = {
            "requestId": kept["requestId"],
            "id": number,
            "refreshType": "ViaApi",
            "startTime": kept["startTime"],
        }
        if self._is_running(kept):
            return {**entry, "status": RUNNING}
        entry |= {"endTime": kept["endTime"], "status": kept["outcome"]}
        if kept["outcome"] == "Failed":
            entry["serviceExceptionJson"] = '{"errorCode":"ModelRefreshFailed_Rehearsed"}'
        return entry

    @staticmethod
    def _is_running(kept: dict[str, Any]) -> bool:
        return float(kept["over_at"]) > time.time()


def create_powerbi_app(*, credentials: Credentials, refreshes: Refreshes) -> Starlette:
    """Power BI and its sign-in as an ASGI application."""
    tokens = AccessTokens(TOKEN_SECONDS)

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if request.path_params["tenant"] != credentials.powerbi_tenant_id:
            return _sign_in_refused(400, "invalid_request", "AADSTS90002: Tenant not found.")
        if form.get("grant_type") != "client_credentials" or not form.get("scope"):
            return _sign_in_refused(400, "invalid_request", "AADSTS900144: grant_type or scope.")
        if form.get("client_id") != credentials.powerbi_client_id:
            return _sign_in_refused(400, "unauthorized_client", "AADSTS700016: Unknown client.")
        if not same_secret(form.get("client_secret"), credentials.powerbi_client_secret):
            return _sign_in_refused(401, "invalid_client", "AADSTS7000215: Invalid client secret.")
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": tokens.issue()}
        )

    def refused(request: Request) -> Response | None:
        if not tokens.accepts(request):
            return _error(401, "TokenExpired", "Access token is missing, wrong or has expired.")
        if request.path_params["workspace"] != credentials.powerbi_workspace_id:
            return _error(404, "PowerBIFolderNotFound", "There is no such workspace.")
        if request.path_params["dataset"] != credentials.powerbi_dataset_id:
            return _error(404, "ItemNotFound", "There is no such dataset.")
        return None

    def dataset(request: Request) -> Response:
        return refused(request) or JSONResponse(
            {"id": credentials.powerbi_dataset_id, "name": "veracitypro", "isRefreshable": True}
        )

    def history(request: Request) -> Response:
        top = request.query_params.get("$top", "60")
        if not top.isdigit() or int(top) < 1:
            return _error(400, "InvalidRequest", f"$top is {top}, expected a number from 1 on.")
        return refused(request) or JSONResponse({"value": refreshes.newest(int(top))})

    def start(request: Request) -> Response:
        if refusal := refused(request):
            return refusal
        request_id = refreshes.start()
        if request_id is None:
            return _error(
                400,
                "InvalidRequest",
                "Invalid dataset refresh request. Another refresh request is already executing",
            )
        return Response(
            status_code=202, headers={"RequestId": request_id, "x-ms-request-id": request_id}
        )

    at_dataset = "/v1.0/myorg/groups/{workspace}/datasets/{dataset}"
    return Starlette(
        routes=[
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
            Route(at_dataset, dataset, methods=["GET"]),
            Route(f"{at_dataset}/refreshes", history, methods=["GET"]),
            Route(f"{at_dataset}/refreshes", start, methods=["POST"]),
        ]
    )


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _sign_in_refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
