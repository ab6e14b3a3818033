"""Slack as a Dagster resource: messages to one channel, by bot token or incoming webhook.

A bot can answer in threads and change what it has said; a webhook can do neither. A rate limit is
waited out if Slack does not ask for long; nothing else is repeated. A call has an end, however
slow Slack is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.timeout import within
from veracitypro_pipeline.settings import Settings, asked_through_a_proxy

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.http_retry import RetryHandler
    from slack_sdk.webhook import WebhookClient

TIMEOUT_SECONDS: Final = 10
RATE_LIMIT_WAITS: Final = 2
# Slack says how long; what is to wait for longer is said by the next delivery.
LONGEST_WAIT_SECONDS: Final = 15
# For a whole call with its waits.
CALL_SECONDS: Final = 60.0
# Slack fetches nothing that an address in a message points to.
_UNFURL: Final = {"unfurl_links": False, "unfurl_media": False}
# Slack's own limit of a page.
CHANNELS_A_PAGE: Final = 999


class SlackNotDelivered(RuntimeError):
    """Slack did not take a message. Never fails a run: whoever sends catches it."""

    def __init__(self, reason: str) -> None:
        super().__init__(masked(reason))


class SlackAway(SlackNotDelivered):
    """Slack takes nothing now, so there is no point in sending it anything else: no sign-in is set,
    or it does not answer."""


class Posted(NamedTuple):
    """A message that Slack has taken. `channel` is Slack's id, which a change needs, no name."""

    channel: str
    ts: str


class SlackResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The channel in which people hear of runs."""

    settings: dg.ResourceDependency[RunSettings]

    @property
    def has_threads(self) -> bool:
        """Whether messages have an id to answer to, as those of a bot have."""
        return self.settings.get().slack_bot_token is not None

    def post(
        self,
        text: str,
        blocks: Sequence[dict[str, Any]],
        *,
        thread: Posted | None = None,
        to_channel: bool = False,
    ) -> Posted | None:
        """Send one message and return where it is, if it has an id; `text` is what a notification
        shows.

        `thread` is the message to answer to; an answer is shown in the channel too if it is
        `to_channel`.

        Raises:
            SlackNotDelivered: no sign-in is set, or Slack refused or did not answer.
        """
        settings = self.settings.get()
        with self._explained():
            if self.has_threads:
                answer = _asked(
                    _bot(settings).chat_postMessage,
                    channel=settings.slack_channel,
                    text=text,
                    blocks=list(blocks),
                    **_UNFURL,
                    thread_ts=thread.ts if thread else None,
                    reply_broadcast=to_channel if thread else None,
                )
                return Posted(str(answer["channel"]), str(answer["ts"]))
            if settings.slack_webhook_url is None:
                raise SlackAway(
                    "Neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set, so nobody is told."
                )
            taken = _asked(_webhook(settings).send, text=text, blocks=list(blocks), **_UNFURL)
            if taken.status_code != 200:
                raise SlackNotDelivered(f"Slack's webhook answered {taken.status_code}.")
        return None

    def update(self, posted: Posted, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        """Change a message of a bot. Raises as `post` does."""
        with self._explained():
            _asked(
                _bot(self.settings.get()).chat_update,
                channel=posted.channel,
                ts=posted.ts,
                text=text,
                blocks=list(blocks),
            )

    def bot_name(self) -> str:
        """Who the bot token signs in as. Raises as `post` does."""
        with self._explained():
            answer = _asked(_bot(self.settings.get()).auth_test)
        return f"{answer['user']} in {answer['team']}"

    def is_member(self) -> bool | None:
        """Whether the bot is in the channel; None if it sees no such channel. Raises as `post`.

        A private channel is seen by its members only.
        """
        settings = self.settings.get()
        asked = settings.slack_channel.lstrip("#")
        with self._explained():
            pages = _asked(
                _bot(settings).conversations_list,
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=CHANNELS_A_PAGE,
            )
            for page in pages:
                for channel in page["channels"]:
                    if asked in (channel["name"], channel["id"]):
                        return bool(channel["is_member"])
        return None

    def is_webhook_alive(self) -> bool:
        """Whether Slack knows the webhook: it then refuses an empty message as one without text.

        Nothing is posted. Raises as `post` does.
        """
        with self._explained():
            answer = _asked(_webhook(self.settings.get()).send, text="")
        return bool(answer.status_code == 400 and answer.body == "no_text")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say why Slack did not take it, without the token or the webhook's address."""
        from slack_sdk.errors import SlackClientError

        try:
            yield
        except SlackClientError as error:
            raise SlackNotDelivered(f"Slack refused it: {_reason(error)}.") from error
        except (OSError, HTTPException) as error:
            proxy = asked_through_a_proxy(self.settings.get().slack_api_url)
            raise SlackAway(f"Slack did not answer ({type(error).__name__}).{proxy}") from error


def _asked(method: Callable[..., Any], **arguments: Any) -> Any:
    return within(CALL_SECONDS, lambda: method(**arguments))


def _patience() -> "RetryHandler":
    """Waits for the end of a rate limit, unless that is far."""
    from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

    class Patience(RateLimitErrorRetryHandler):
        def _can_retry(self, **known: Any) -> bool:
            if not super()._can_retry(**known):
                return False
            headers = {name.lower(): value for name, value in known["response"].headers.items()}
            said = str(headers.get("retry-after", ["1"])[0])
            return said.isdecimal() and int(said) <= LONGEST_WAIT_SECONDS

    return Patience(max_retry_count=RATE_LIMIT_WAITS)


def _bot(settings: Settings) -> "WebClient":
    from dagster_slack import SlackResource as DagsterSlackResource

    assert settings.slack_bot_token is not None
    client = DagsterSlackResource(token=settings.slack_bot_token.get_secret_value()).get_client()
    # dagster-slack has no setting for these (0.29.27).
    client.base_url = settings.slack_api_url
    client.timeout = TIMEOUT_SECONDS
    client.retry_handlers.append(_patience())
    return client


def _webhook(settings: Settings) -> "WebhookClient":
    from slack_sdk.webhook import WebhookClient

    assert settings.slack_webhook_url is not None
    client = WebhookClient(settings.slack_webhook_url.get_secret_value(), timeout=TIMEOUT_SECONDS)
    client.retry_handlers.append(_patience())
    return client


def _reason(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return str(answer["error"]) if answer is not None else type(error).__name__
