"""The local Slack, called by slack_sdk: accepts and rejects what Slack does."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient
from starlette.applications import Starlette

from veracitypro_pipeline.local.services.slack import Inbox, create_slack_app

NIGHT = datetime(2025, 11, 21, 0, 10, tzinfo=UTC)
TOKEN, SECRET, CHANNEL = "xoxb-right", "hook", "#data-alerts"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*42* rows"}}


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "messages.jsonl", lambda: NIGHT)


@pytest.fixture
def url(serve: Callable[[Starlette], str], inbox: Inbox) -> str:
    return serve(
        create_slack_app(bot_token=TOKEN, webhook_secret=SECRET, channel=CHANNEL, inbox=inbox)
    )


@pytest.fixture
def client(url: str) -> WebClient:
    return WebClient(token=TOKEN, base_url=f"{url}/api/")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_message_by_the_bot_is_stored_with_its_blocks(client: WebClient, inbox: Inbox) -> None:
    answer = client.chat_postMessage(channel=CHANNEL, text="All well", blocks=[SECTION])

    assert answer["ok"]
    assert answer["channel"] == CHANNEL
    assert inbox.messages() == [
        {
            "ts": answer["ts"],
            "received_at": NIGHT.isoformat(),
            "via": "api",
            "channel": CHANNEL,
            "text": "All well",
            "blocks": [SECTION],
        }
    ]


def test_messages_are_there_after_a_restart(
    client: WebClient, inbox: Inbox, tmp_path: Path
) -> None:
    client.chat_postMessage(channel=CHANNEL, text="Before")

    again = Inbox(tmp_path / "messages.jsonl", lambda: NIGHT)

    assert [message["text"] for message in again.messages()] == ["Before"]


def test_the_token_can_be_tested(client: WebClient, url: str) -> None:
    assert client.auth_test()["ok"]
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient(token="xoxb-wrong", base_url=f"{url}/api/").auth_test()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ({"channel": CHANNEL, "text": ""}, "no_text"),
        ({"channel": CHANNEL, "text": "x" * 40_001}, "msg_too_long"),
        ({"channel": CHANNEL, "text": "x", "blocks": [SECTION] * 51}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "x", "blocks": [_section("y" * 3001)]}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "x", "blocks": [_section("")]}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "x", "blocks": ["no block"]}, "invalid_blocks_format"),
    ],
)
def test_a_message_that_slack_rejects_is_rejected_with_slacks_error(
    client: WebClient, inbox: Inbox, message: dict[str, Any], error: str
) -> None:
    with pytest.raises(SlackApiError) as refusal:
        client.api_call("chat.postMessage", json=message)

    assert refusal.value.response["error"] == error
    assert inbox.messages() == []


def test_a_message_at_the_limits_is_accepted(client: WebClient) -> None:
    blocks = [_section("y" * 3000)] * 50

    assert client.chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)["ok"]


def test_a_body_of_another_kind_or_without_token_is_rejected(url: str) -> None:
    address = f"{url}/api/chat.postMessage"
    text = httpx.post(address, content="x", headers={"content-type": "text/plain"})
    nobody = httpx.post(address, data={"channel": CHANNEL, "text": "x"})
    broken = httpx.post(address, content="{", headers={"content-type": "application/json"})

    assert text.json() == {"ok": False, "error": "invalid_post_type"}
    assert nobody.json() == {"ok": False, "error": "not_authed"}
    assert broken.json() == {"ok": False, "error": "invalid_json"}


def test_the_webhook_accepts_a_message_and_answers_ok(url: str, inbox: Inbox) -> None:
    answer = WebhookClient(f"{url}/services/{SECRET}").send(text="Hooked", blocks=[SECTION])

    assert (answer.status_code, answer.body) == (200, "ok")
    assert [(one["via"], one["text"]) for one in inbox.messages()] == [("webhook", "Hooked")]


def test_the_webhook_rejects_a_wrong_address_and_a_wrong_body(url: str, inbox: Inbox) -> None:
    wrong_address = WebhookClient(f"{url}/services/other").send(text="x")
    wrong_body = WebhookClient(f"{url}/services/{SECRET}").send(text="x", blocks=[SECTION] * 51)

    assert (wrong_address.status_code, wrong_address.body) == (403, "invalid_token")
    assert (wrong_body.status_code, wrong_body.body) == (400, "invalid_blocks")
    assert inbox.messages() == []
