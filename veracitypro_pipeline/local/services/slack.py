"""A stand-in for Slack: four methods of its Web API and one incoming webhook.

Imitates, from Slack's method pages (`chat.postMessage`, `chat.update`, `auth.test`,
`conversations.list`), "Sending messages using incoming webhooks" and the Block Kit reference:
tokens in the header or the form, HTTP 200 with `ok: false` and Slack's error names, membership of
channels, limits of text, blocks and block texts, plain answers of the webhook. Every accepted
message is appended to a file; an update is one more line with the same `ts`.

Does not imitate: rate limits, scopes, users, that a thread must exist, rendering, several pages of
channels; of Block Kit only these limits.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from veracitypro_pipeline.local.bearer import bearer_token, same_secret

MAX_TEXT: Final = 40_000
MAX_BLOCKS: Final = 50
# Characters of a block's text object; fields and context elements count as sections.
MAX_BLOCK_TEXT: Final = {"section": 3000, "header": 150}
MAX_FIELDS: Final = 10
MAX_FIELD_TEXT: Final = 2000
TEAM: Final = {"url": "https://local.slack.example/", "team": "local", "team_id": "TLOCAL000"}


class SlackApiError(Exception):
    """A request that Slack would reject; the text is Slack's name of the error."""


# Whether Slack shows previews of the links in a message.
UNFURLS = ("unfurl_links", "unfurl_media")


class Inbox:
    """The messages received, oldest first, in a file of JSON lines."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now

    def add(self, via: str, channel: str, message: Mapping[str, Any]) -> str:
        """Store a message and return its `ts`, which is its id within the channel."""
        received_at = self._now()
        ts = message.get("ts") or f"{received_at.timestamp():.6f}"
        kept = {"ts": ts, "received_at": received_at.isoformat(), "via": via, "channel": channel}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**kept, **message}) + "\n")
        return ts

    def messages(self) -> list[dict[str, Any]]:
        """Each: ts, received_at (stack clock), via (`api` or `webhook`), channel, text, blocks.

        A line that a crash truncated is skipped.
        """
        if not self._path.exists():
            return []
        with self._path.open("rb") as lines:
            return [message for message in map(_kept_message, lines) if message is not None]


def _kept_message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    is_whole = isinstance(message, dict) and message.keys() >= {"ts", "via", "channel"}
    return message if is_whole else None


def create_slack_app(
    *,
    bot_token: str,
    webhook_secret: str,
    channel: str,
    inbox: Inbox,
    other_channels: Sequence[str] = (),
) -> Starlette:
    """Slack as an ASGI application; the bot is a member of `channel`, but of no other."""

    async def post_message(request: Request) -> Response:
        try:
            arguments = await _arguments(request)
            _sign_in(request, arguments, bot_token)
            asked = str(arguments.get("channel")).lstrip("#")
            if asked in [name.lstrip("#") for name in other_channels]:
                raise SlackApiError("not_in_channel")
            if asked != channel.lstrip("#"):
                raise SlackApiError("channel_not_found")
            message = _checked_message(arguments)
        except SlackApiError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)})
        ts = inbox.add("api", channel, message | _thread(arguments))
        posted = {"type": "message", "ts": ts, **message}
        return JSONResponse({"ok": True, "channel": channel, "ts": ts, "message": posted})

    async def update(request: Request) -> Response:
        try:
            arguments = await _arguments(request)
            _sign_in(request, arguments, bot_token)
            if arguments.get("channel") != channel:
                raise SlackApiError("channel_not_found")
            ts = arguments.get("ts")
            if ts not in {kept["ts"] for kept in inbox.messages() if kept["via"] == "api"}:
                raise SlackApiError("message_not_found")
            message = _checked_message(arguments)
        except SlackApiError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)})
        inbox.add("api", channel, {**message, "ts": ts, "is_update": True})
        return JSONResponse({"ok": True, "channel": channel, "ts": ts, "text": message["text"]})

    async def auth_test(request: Request) -> Response:
        try:
            _sign_in(request, await _arguments(request), bot_token)
        except SlackApiError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)})
        return JSONResponse({"ok": True, **TEAM, "user": "veracitypro", "user_id": "ULOCAL000"})

    async def list_channels(request: Request) -> Response:
        try:
            _sign_in(request, await _arguments(request), bot_token)
        except SlackApiError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)})
        channels = [
            {
                "id": f"CLOCAL{number:03}",
                "name": name.lstrip("#"),
                "is_channel": True,
                "is_private": False,
                "is_archived": False,
                "is_member": name == channel,
            }
            for number, name in enumerate((channel, *other_channels))
        ]
        return JSONResponse(
            {"ok": True, "channels": channels, "response_metadata": {"next_cursor": ""}}
        )

    async def webhook(request: Request) -> Response:
        if not same_secret(request.path_params["secret"], webhook_secret):
            return PlainTextResponse("invalid_token", 403)
        try:
            arguments = await _arguments(request)
            if isinstance(arguments.get("payload"), str):
                arguments = _json_object(arguments["payload"])
            message = _checked_message(arguments)
        except SlackApiError as refusal:
            return PlainTextResponse(str(refusal), 400)
        inbox.add("webhook", channel, message)
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/api/chat.postMessage", post_message, methods=["POST"]),
            Route("/api/chat.update", update, methods=["POST"]),
            Route("/api/auth.test", auth_test, methods=["POST"]),
            # slack_sdk calls this method by GET.
            Route("/api/conversations.list", list_channels, methods=["GET", "POST"]),
            Route("/services/{secret}", webhook, methods=["POST"]),
        ]
    )


def _thread(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The message that this one replies to, if any, and whether the channel shows the reply."""
    if not arguments.get("thread_ts"):
        return {}
    is_shown = str(arguments.get("reply_broadcast")).lower() in ("true", "1")
    return {"thread_ts": str(arguments["thread_ts"]), "reply_broadcast": is_shown}


async def _arguments(request: Request) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = (await request.body()).decode("utf-8", "replace")
    if not body:  # slack_sdk labels an empty body as JSON.
        return {}
    if content_type == "application/json":
        return _json_object(body)
    if content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body))
    raise SlackApiError("invalid_post_type")


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise SlackApiError("invalid_json") from None
    if not isinstance(value, dict):
        raise SlackApiError("json_not_object")
    return value


def _sign_in(request: Request, arguments: Mapping[str, Any], bot_token: str) -> None:
    token = bearer_token(request) or arguments.get("token")
    if not token:
        raise SlackApiError("not_authed")
    if not same_secret(token, bot_token):
        raise SlackApiError("invalid_auth")


def _checked_message(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Text and blocks. Raises SlackApiError if they exceed Slack's limits."""
    text, blocks = arguments.get("text") or "", arguments.get("blocks") or []
    if isinstance(blocks, str):  # In a form, blocks are JSON text.
        try:
            blocks = json.loads(blocks)
        except ValueError:
            raise SlackApiError("invalid_blocks_format") from None
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackApiError("invalid_blocks_format")
    if not text and not blocks:
        raise SlackApiError("no_text")
    if len(text) > MAX_TEXT:
        raise SlackApiError("msg_too_long")
    if len(blocks) > MAX_BLOCKS or not all(map(_is_valid_block, blocks)):
        raise SlackApiError("invalid_blocks")
    unfurls = {name: arguments[name] for name in UNFURLS if name in arguments}
    return {"text": text, "blocks": blocks, **unfurls}


def _is_valid_block(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if not isinstance(kind, str):
        return False
    fields = block.get("fields") or []
    if kind == "section" and not block.get("text") and not fields:
        return False
    texts = [block["text"]] if block.get("text") else []
    return (
        len(fields) <= MAX_FIELDS
        and all(_is_valid_text(text, MAX_BLOCK_TEXT.get(kind, 3000)) for text in texts)
        and all(_is_valid_text(field, MAX_FIELD_TEXT) for field in fields)
    )


def _is_valid_text(value: Any, max_length: int) -> bool:
    if not isinstance(value, dict) or value.get("type") not in ("plain_text", "mrkdwn"):
        return False
    text = value.get("text")
    return isinstance(text, str) and 1 <= len(text) <= max_length
