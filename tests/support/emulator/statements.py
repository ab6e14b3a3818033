"""Long statements: a client polls them, and a client or a timeout can cancel them.

Stock: a client waits for the HTTP response as long as it can, and cannot cancel a statement.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

# Seconds until a client must poll again; 45 on Snowflake.
HELD_SECONDS: Final = 0.5
# Snowflake's default: two days.
DEFAULT_TIMEOUT_SECONDS: Final = 172_800
# Snowflake's answer that a statement still runs.
IN_PROGRESS: Final = "333333"
_WAIT: Final = re.compile(r"\s*select\s+system\$wait\(\s*([\d.]+)\s*\)\s*", re.IGNORECASE)
_running: Final[dict[str, "RunningStatement"]] = {}


class RunningStatement:
    """One statement of a session, until its answer is fetched."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ended = asyncio.Event()
        self._why: tuple[str, str] | None = None
        self.answer: asyncio.Task[Response] | None = None

    async def run(self, sql: str, carry_out: Callable[[], Awaitable[Response]]) -> Response:
        """The answer, or why the statement was ended before it."""
        parameters = self._connection.parameters
        seconds = int(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", DEFAULT_TIMEOUT_SECONDS))
        timeout = asyncio.get_running_loop().call_later(
            seconds,
            self.end,
            "000630",
            f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was"
            " canceled.",
        )
        try:
            if wait := _WAIT.fullmatch(sql):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), float(wait.group(1)))
            answer = await carry_out()
        finally:
            timeout.cancel()
        if self._why is None:
            return answer
        code, message = self._why
        data = {"errorCode": code, "sqlState": "57014"}
        return JSONResponse({"data": data, "code": code, "message": message, "success": False})

    def end(self, code: str, message: str) -> None:
        self._why = (code, message)
        self._ended.set()
        self._connection._duck_conn.interrupt()


async def start(
    request_id: str, connection: Any, sql: str, carry_out: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer if it comes soon, else where to ask for it."""
    statement = _running[request_id] = RunningStatement(connection)
    statement.answer = asyncio.create_task(statement.run(sql, carry_out))
    return await _answer(request_id)


async def result(request: Request) -> Response:
    """The same for a statement that was started before."""
    return await _answer(request.path_params["request_id"])


async def abort(body: bytes) -> Response:
    """End a statement, as a client does whose own timer is over."""
    if statement := _running.get(json.loads(body)["requestId"]):
        statement.end("000604", "SQL execution canceled")
    return JSONResponse({"success": True, "data": None})


async def _answer(request_id: str) -> Response:
    task = _running[request_id].answer
    assert task is not None
    await asyncio.wait({task}, timeout=HELD_SECONDS)
    if task.done():
        del _running[request_id]
        return task.result()
    data = {"queryId": request_id, "getResultUrl": f"/queries/{request_id}/result"}
    return JSONResponse({"data": data, "code": IN_PROGRESS, "message": None, "success": False})
