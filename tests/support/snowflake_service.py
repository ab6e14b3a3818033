"""A few responses of Snowflake's wire protocol, for its connector (4.x)."""

import asyncio
import gzip
import json
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PASSWORD = "open sesame"
NO_OTHER_ROLE = "use secondary roles none"


@dataclass
class Service:
    """Answers by the text of a statement; records requests."""

    refuse_sign_in: tuple[str, str] | None = None
    refusals: dict[str, tuple[str, str]] = field(default_factory=dict)
    # Seconds that a statement takes, and after which a request is answered in any case, as
    # Snowflake does after 45.
    seconds: float = 0.0
    held_seconds: float = 0.1
    signed_in: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    is_aborted: bool = False

    @property
    def statements(self) -> list[str]:
        """The statements, without the first of each session."""
        return [asked["sqlText"] for asked in self.asked if asked["sqlText"] != NO_OTHER_ROLE]

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/session/v1/login-request", self.sign_in, methods=["POST"]),
                Route("/queries/v1/query-request", self.run, methods=["POST"]),
                Route("/queries/v1/abort-request", self.abort, methods=["POST"]),
                Route("/queries/{ends_at:float}/result", self.result),
                Route("/session", lambda _: JSONResponse({"success": True}), methods=["POST"]),
                Route(
                    "/telemetry/send", lambda _: JSONResponse({"success": True}), methods=["POST"]
                ),
            ]
        )

    async def sign_in(self, request: Request) -> Response:
        self.signed_in.append((await _body(request))["data"])
        if self.refuse_sign_in:
            return _refusal(*self.refuse_sign_in)
        session = {"databaseName": "VP_DWH", "roleName": "R", "warehouseName": "W"}
        token = {"token": "t", "masterToken": "m", "parameters": [], "sessionInfo": session}
        return JSONResponse({"success": True, "data": token})

    async def run(self, request: Request) -> Response:
        asked = await _body(request)
        self.asked.append(asked)
        for words, refusal in self.refusals.items():
            if words in asked["sqlText"]:
                return _refusal(*refusal)
        lasts = 0.0 if asked["sqlText"] == NO_OTHER_ROLE else self.seconds
        return await self._answer(time.monotonic() + lasts)

    async def abort(self, _: Request) -> Response:
        self.is_aborted = True
        return JSONResponse({"success": True, "data": None})

    async def result(self, request: Request) -> Response:
        return await self._answer(request.path_params["ends_at"])

    async def _answer(self, ends_at: float) -> Response:
        await asyncio.sleep(min(self.held_seconds, max(0.0, ends_at - time.monotonic())))
        if self.is_aborted:
            return _refusal("000604", "SQL execution canceled")
        if time.monotonic() < ends_at:
            url = f"/queries/{ends_at:.3f}/result"
            again = {"queryId": "q", "getResultUrl": url}
            return JSONResponse({"success": False, "code": "333333", "data": again})
        column = {
            **{"name": "N", "type": "fixed", "scale": 0, "precision": 38, "nullable": True},
            **{"length": None, "byteLength": None, "collation": None},
        }
        data = {
            "rowtype": [column],
            "rowset": [["1"]],
            "total": 1,
            "returned": 1,
            "queryResultFormat": "json",
            "queryId": "q",
            "parameters": [],
            "statementTypeId": 4096,
        }
        return JSONResponse({"success": True, "data": data})


async def _body(request: Request) -> Any:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body)


def _refusal(code: str, message: str) -> JSONResponse:
    data = {"errorCode": code, "sqlState": "42000", "queryId": "q"}
    return JSONResponse({"success": False, "code": code, "message": message, "data": data})
