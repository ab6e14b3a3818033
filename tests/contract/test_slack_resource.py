"""Messages to Slack by bot token and by webhook, and what happens when Slack rejects them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from tests.support.settings import fixed
from veracitypro_pipeline.local.services.slack import Inbox, create_slack_app
from veracitypro_pipeline.resources.slack import Posted, SlackError, SlackResource
from veracitypro_pipeline.settings import Settings

TOKEN, WEBHOOK, CHANNEL = "xoxb-1", "T0/B0/x", "#data-alerts"
TEXT = "It began"
BLOCKS: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": "*It*"}}]


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "messages.jsonl", lambda: datetime.now(UTC))


@pytest.fixture
def url(serve: Callable[[Starlette], str], inbox: Inbox) -> str:
    return serve(
        create_slack_app(bot_token=TOKEN, webhook_secret="hook", channel=CHANNEL, inbox=inbox)
    )


def slack(**settings: Any) -> SlackResource:
    return SlackResource(settings=fixed(Settings.load(slack_channel=CHANNEL, **settings)))


def bot(url: str) -> SlackResource:
    return slack(slack_api_url=f"{url}/api/", slack_bot_token=SecretStr(TOKEN))


def test_a_bot_and_a_webhook_deliver_the_same_blocks(url: str, inbox: Inbox) -> None:
    by_webhook = slack(slack_webhook_url=SecretStr(f"{url}/services/hook"))
    assert (bot(url).has_threads, by_webhook.has_threads) == (True, False)
    assert bot(url).post(TEXT, BLOCKS) is not None
    assert by_webhook.post(TEXT, BLOCKS) is None
    first, second = inbox.messages()
    assert first["text"] == second["text"] == TEXT
    assert first["blocks"] == second["blocks"] == BLOCKS
    # Slack must not fetch links in texts that come from others.
    for message in (first, second):
        assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


def test_a_bot_replies_in_a_thread_and_updates_its_message(url: str, inbox: Inbox) -> None:
    posted = bot(url).post(TEXT, BLOCKS)
    assert posted is not None
    bot(url).post("In the thread", BLOCKS, thread=posted)
    bot(url).post("In both", BLOCKS, thread=posted, to_channel=True)
    bot(url).update(posted, "It ended", BLOCKS)

    _, quiet, loud, update = inbox.messages()
    assert (quiet["thread_ts"], quiet["reply_broadcast"]) == (posted.ts, False)
    assert (loud["thread_ts"], loud["reply_broadcast"]) == (posted.ts, True)
    assert (update["ts"], update["is_update"], update["text"]) == (posted.ts, True, "It ended")


def test_a_message_that_does_not_exist_cannot_be_updated(url: str) -> None:
    with pytest.raises(SlackError, match="message_not_found"):
        bot(url).update(Posted(CHANNEL, "1.0"), TEXT, BLOCKS)


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
def test_a_rejected_message_raises_an_error_without_the_secret(
    url: str, settings: dict[str, Any], said: str
) -> None:
    at_stand_in = {"slack_api_url": f"{url}/api/", **settings}
    webhook = at_stand_in.get("slack_webhook_url")
    if webhook and webhook.get_secret_value().startswith("/"):
        at_stand_in["slack_webhook_url"] = SecretStr(url + webhook.get_secret_value())
    with pytest.raises(SlackError, match=said) as refusal:
        slack(**at_stand_in).post(TEXT, BLOCKS)
    assert "xoxb" not in str(refusal.value)
    assert "services" not in str(refusal.value)
