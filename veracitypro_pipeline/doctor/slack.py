"""Slack: sign-in, and a channel that the bot may post to. Nothing is posted."""

from typing import Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError


def _settings(deployment: Deployment) -> str:
    settings = deployment.settings
    if settings.slack_bot_token is None and settings.slack_webhook_url is None:
        raise ProbeError("neither SLACK_BOT_TOKEN nor SLACK_WEBHOOK_URL is set")
    return "bot token" if settings.slack_bot_token else "incoming webhook"


def _sign_in(deployment: Deployment) -> str:
    if deployment.settings.slack_bot_token:
        return deployment.slack.bot_name()
    if not deployment.slack.is_webhook_alive():
        raise ProbeError(
            "Slack no longer knows the webhook",
            "make a new incoming webhook for the app, and set SLACK_WEBHOOK_URL",
        )
    return "Slack knows the webhook"


def _channel(deployment: Deployment) -> str:
    settings = deployment.settings
    if settings.slack_bot_token is None:
        return "the channel of the webhook"
    is_member = deployment.slack.is_member()
    if is_member is None:
        raise ProbeError(
            f"there is no channel {settings.slack_channel} that the bot can see",
            "make the channel, or set SLACK_CHANNEL; if it is private, invite the bot there",
        )
    if not is_member:
        raise ProbeError(f"the bot is not in {settings.slack_channel}")
    return f"the bot is in {settings.slack_channel}"


PROBES: Final[tuple[DeploymentProbe, ...]] = (
    Probe(
        "slack settings",
        _settings,
        "set SLACK_BOT_TOKEN (or SLACK_WEBHOOK_URL) in the deployment's environment",
    ),
    Probe(
        "slack sign-in",
        _sign_in,
        "install the app in the workspace again, and set SLACK_BOT_TOKEN to its bot token",
        after="slack settings",
    ),
    Probe(
        "slack channel",
        _channel,
        "invite the bot to the channel; it needs the scopes chat:write, channels:read and"
        " groups:read",
        after="slack sign-in",
    ),
)
