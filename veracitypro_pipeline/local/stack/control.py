"""The stack's own API, for `vp` and tests: health, the simulated day, the Slack messages received.

Every request needs the control token. Errors are `{"error": sentence}` with HTTP 400 or 409.
"""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from veracitypro_pipeline.local.bearer import bearer_token, same_secret
from veracitypro_pipeline.local.played_day import PlaybackError, play_from_json
from veracitypro_pipeline.local.services.airbyte.jobs import JobStore
from veracitypro_pipeline.local.services.powerbi import OUTCOMES, Refreshes
from veracitypro_pipeline.local.services.slack import Inbox
from veracitypro_pipeline.local.sources.keepa.products import PayloadError
from veracitypro_pipeline.local.stack.playback import Playback


def create_control_app(
    *,
    token: str,
    health: Callable[[], dict[str, Any] | None],
    playback: Playback,
    jobs: JobStore,
    inbox: Inbox,
    refreshes: Refreshes,
) -> Starlette:
    """The control API as an ASGI application; `health` is None while S3 is down."""

    async def sign_in(request: Request, call_next: RequestResponseEndpoint) -> Response:
        if not same_secret(bearer_token(request), token):
            return JSONResponse({"error": "The control token is missing or wrong."}, 401)
        return await call_next(request)

    def get_health(_request: Request) -> Response:
        state = health()
        return JSONResponse(state or {"error": "The local S3 has ended."}, 200 if state else 503)

    async def play(request: Request) -> Response:
        try:
            as_of_date, products = play_from_json(await request.json())
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": f"No day that can be played: {error}."}, 400)
        try:
            played = await run_in_threadpool(playback.play, as_of_date, products, jobs)
        except (PayloadError, PlaybackError) as error:
            return JSONResponse({"error": str(error)}, 409)
        return JSONResponse(vars(played))

    def products(_request: Request) -> Response:
        try:
            return JSONResponse(playback.source().tracked())
        except (PayloadError, PlaybackError) as error:
            return JSONResponse({"error": str(error)}, 409)

    def slack_messages(_request: Request) -> Response:
        return JSONResponse(inbox.messages())

    async def rehearse_refreshes(request: Request) -> Response:
        asked = await request.json()
        if asked.get("outcome", OUTCOMES[0]) not in OUTCOMES:
            return JSONResponse({"error": f"outcome is none of {', '.join(OUTCOMES)}."}, 400)
        refreshes.outcome = asked.get("outcome", refreshes.outcome)
        refreshes.seconds = float(asked.get("seconds", refreshes.seconds))
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/health", get_health, methods=["GET"]),
            Route("/play", play, methods=["POST"]),
            Route("/products", products, methods=["GET"]),
            Route("/slack/messages", slack_messages, methods=["GET"]),
            Route("/powerbi", rehearse_refreshes, methods=["PUT"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=sign_in)],
    )
