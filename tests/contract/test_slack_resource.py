"""What we send to Slack by bot token and webhook, and what happens when it is not taken."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from veracitypro_pipeline.local.slack import Inbox, create_slack_app
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.resources.slack import SlackNotDelivered, SlackResource
from veracitypro_pipeline.settings import Settings

from .fixed_settings import fixed

TOKEN, WEBHOOK, CHANNEL = "xoxb-1", "T0/B0/x", "#data-alerts"
MESSAGE = messages.started("2026-01-31", "0f7d6c48", "vp_daily_batch")


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "messages.jsonl", lambda: datetime.now(UTC))


@pytest.fixture
def url(serve: Callable[[Starlette], str], inbox: Inbox) -> str:
    return serve(
        create_slack_app(bot_token=TOKEN, webhook_secret="hook", channel=CHANNEL, inbox=inbox)
    )


def post(**settings: Any) -> None:
    of_run = fixed(Settings.load(slack_channel=CHANNEL, **settings))
    SlackResource(settings=of_run).post(MESSAGE.text, MESSAGE.blocks)


def test_a_bot_and_a_webhook_deliver_the_same_blocks(url: str, inbox: Inbox) -> None:
    post(slack_api_url=f"{url}/api/", slack_bot_token=SecretStr(TOKEN))
    post(slack_webhook_url=SecretStr(f"{url}/services/hook"))
    by_bot, by_webhook = inbox.messages()
    assert by_bot["text"] == by_webhook["text"] == MESSAGE.text
    assert by_bot["blocks"] == by_webhook["blocks"] == MESSAGE.blocks


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set"),
        ({"slack_bot_token": SecretStr("xoxb-wrong")}, "invalid_auth"),
        ({"slack_webhook_url": SecretStr("/services/wrong")}, "Slack's webhook answered 4"),
        ({"slack_api_url": "http://127.0.0.1:1/", "slack_bot_token": SecretStr("x")}, "not answer"),
        ({"slack_webhook_url": SecretStr("http://127.0.0.1:1/")}, "not answer"),
    ],
)
def test_what_slack_does_not_take_is_said_without_the_secret(
    url: str, settings: dict[str, Any], said: str
) -> None:
    at_stand_in = {"slack_api_url": f"{url}/api/", **settings}
    webhook = at_stand_in.get("slack_webhook_url")
    if webhook and webhook.get_secret_value().startswith("/"):
        at_stand_in["slack_webhook_url"] = SecretStr(url + webhook.get_secret_value())
    with pytest.raises(SlackNotDelivered, match=said) as refusal:
        post(**at_stand_in)
    assert "xoxb" not in str(refusal.value)
    assert "services" not in str(refusal.value)
