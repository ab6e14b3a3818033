"""Slack as a Dagster resource: one message to the channel, by bot token or incoming webhook."""

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg

from veracitypro_pipeline.resources.run_settings import RunSettings

TIMEOUT_SECONDS: Final = 10


class SlackNotDelivered(RuntimeError):
    """Slack did not take a message. Never fails a run: whoever sends catches it."""


class SlackResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The channel in which people hear of runs."""

    settings: dg.ResourceDependency[RunSettings]

    def post(self, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        """Send one message; `text` is what a notification shows.

        Raises:
            SlackNotDelivered: no sign-in is set, or Slack refused or did not answer.
        """
        from dagster_slack import SlackResource as DagsterSlackResource
        from slack_sdk.errors import SlackClientError
        from slack_sdk.webhook import WebhookClient

        settings = self.settings.get()
        try:
            if settings.slack_bot_token:
                token = settings.slack_bot_token.get_secret_value()
                client = DagsterSlackResource(token=token).get_client()
                # dagster-slack has no setting for these two (0.29.27).
                client.base_url = settings.slack_api_url
                client.timeout = TIMEOUT_SECONDS
                client.chat_postMessage(
                    channel=settings.slack_channel, text=text, blocks=list(blocks)
                )
            elif settings.slack_webhook_url:
                url = settings.slack_webhook_url.get_secret_value()
                answer = WebhookClient(url, timeout=TIMEOUT_SECONDS).send(
                    text=text, blocks=list(blocks)
                )
                if answer.status_code != 200:
                    raise SlackNotDelivered(f"Slack's webhook answered {answer.status_code}.")
            else:
                raise SlackNotDelivered(
                    "Neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set, so nobody is told."
                )
        except SlackClientError as error:
            raise SlackNotDelivered(f"Slack refused the message: {_reason(error)}.") from error
        except OSError as error:
            raise SlackNotDelivered(f"Slack did not answer ({type(error).__name__}).") from error


def _reason(error: Exception) -> str:
    answer = getattr(error, "response", None)
    return str(answer["error"]) if answer is not None else type(error).__name__
