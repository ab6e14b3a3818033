"""Slack as a Dagster resource: messages to one channel, by bot token or incoming webhook.

A bot can reply in threads and update its messages; a webhook can do neither. A rate-limited call is
retried if Slack asks for a short wait; no other call is retried. Every call has a time limit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.timeout import within
from veracitypro_pipeline.settings import Settings, proxy_hint

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.http_retry import RetryHandler
    from slack_sdk.webhook import WebhookClient

TIMEOUT_SECONDS: Final = 10
RATE_LIMIT_WAITS: Final = 2
# The longest Retry-After to wait for; after a longer one, the next delivery sends the message.
LONGEST_WAIT_SECONDS: Final = 15
# For a whole call with its waits.
CALL_SECONDS: Final = 60.0
# Slack must not fetch the pages that a message links to.
_UNFURL: Final = {"unfurl_links": False, "unfurl_media": False}
# Slack's limit.
CHANNELS_A_PAGE: Final = 999


class SlackError(RuntimeError):
    """Slack did not accept a message. Senders catch it, so it never fails a run."""

    def __init__(self, reason: str) -> None:
        super().__init__(masked(reason))


class SlackUnavailableError(SlackError):
    """No message can be sent now: no credentials are set, or Slack does not answer."""


class Posted(NamedTuple):
    """A message that Slack has accepted. `channel` is Slack's id, not a name; updates need it."""

    channel: str
    ts: str


class SlackResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The channel that gets the messages about runs."""

    settings: dg.ResourceDependency[RunSettings]

    @property
    def has_threads(self) -> bool:
        """Whether messages can be replied to, which takes a bot."""
        return self.settings.get().slack_bot_token is not None

    def post(
        self,
        text: str,
        blocks: Sequence[dict[str, Any]],
        *,
        thread: Posted | None = None,
        to_channel: bool = False,
    ) -> Posted | None:
        """Send one message; return its id, or None from a webhook, which gives no id.

        `text` is shown in notifications. `thread` is the message to reply to; with `to_channel`
        the channel shows the reply too.

        Raises:
            SlackError: no credentials are set, or Slack rejected it or did not answer.
        """
        settings = self.settings.get()
        with self._translated_errors():
            if self.has_threads:
                answer = _call(
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
                raise SlackUnavailableError(
                    "Neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set, so no message is sent."
                )
            response = _call(_webhook(settings).send, text=text, blocks=list(blocks), **_UNFURL)
            if response.status_code != 200:
                raise SlackError(f"Slack's webhook answered {response.status_code}.")
        return None

    def update(self, posted: Posted, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        """Replace the content of a bot's message. Raises as `post` does."""
        with self._translated_errors():
            _call(
                _bot(self.settings.get()).chat_update,
                channel=posted.channel,
                ts=posted.ts,
                text=text,
                blocks=list(blocks),
            )

    def bot_name(self) -> str:
        """User and team of the bot token. Raises as `post` does."""
        with self._translated_errors():
            answer = _call(_bot(self.settings.get()).auth_test)
        return f"{answer['user']} in {answer['team']}"

    def is_member(self) -> bool | None:
        """Whether the bot is in the channel; None if the bot sees no such channel.

        Only members see a private channel. Raises as `post` does.
        """
        settings = self.settings.get()
        wanted = settings.slack_channel.lstrip("#")
        with self._translated_errors():
            pages = _call(
                _bot(settings).conversations_list,
                types="public_channel,private_channel",
                exclude_archived=True,
                limit=CHANNELS_A_PAGE,
            )
            for page in pages:
                for channel in page["channels"]:
                    if wanted in (channel["name"], channel["id"]):
                        return bool(channel["is_member"])
        return None

    def is_webhook_alive(self) -> bool:
        """Whether Slack knows the webhook: it then rejects an empty message with `no_text`.

        Posts nothing. Raises as `post` does.
        """
        with self._translated_errors():
            response = _call(_webhook(self.settings.get()).send, text="")
        return bool(response.status_code == 400 and response.body == "no_text")

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn errors of the SDK into ours, without the token or the webhook's address."""
        from slack_sdk.errors import SlackClientError

        try:
            yield
        except SlackClientError as error:
            raise SlackError(f"Slack refused it: {_reason(error)}.") from error
        except (OSError, HTTPException) as error:
            proxy = proxy_hint(self.settings.get().slack_api_url)
            raise SlackUnavailableError(
                f"Slack did not answer ({type(error).__name__}).{proxy}"
            ) from error


def _call(method: Callable[..., Any], **arguments: Any) -> Any:
    return within(CALL_SECONDS, lambda: method(**arguments))


def _patience() -> "RetryHandler":
    """A handler that waits out a rate limit of at most `LONGEST_WAIT_SECONDS`."""
    from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

    class Patience(RateLimitErrorRetryHandler):
        def _can_retry(self, **known: Any) -> bool:
            if not super()._can_retry(**known):
                return False
            headers = {name.lower(): value for name, value in known["response"].headers.items()}
            seconds = str(headers.get("retry-after", ["1"])[0])
            return seconds.isdecimal() and int(seconds) <= LONGEST_WAIT_SECONDS

    return Patience(max_retry_count=RATE_LIMIT_WAITS)


def _bot(settings: Settings) -> "WebClient":
    from dagster_slack import SlackResource as DagsterSlackResource

    assert settings.slack_bot_token is not None
    client = DagsterSlackResource(token=settings.slack_bot_token.get_secret_value()).get_client()
    # dagster-slack 0.29.27 has no setting for these.
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
