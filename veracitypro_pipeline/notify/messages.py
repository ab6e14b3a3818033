"""From a run to a Slack message. Pure: no Dagster, no Slack.

Text from outside (titles, errors) is escaped as Slack's mrkdwn asks: `&`, `<` and `>` only. Source:
Slack API, "Formatting text for app surfaces" and Block Kit's limits (3,000 characters a text).
"""

from typing import Any, Final, NamedTuple

from veracitypro_pipeline.run_summary import RunSummary

TEXT_CHARACTERS: Final = 3000
REASON_CHARACTERS: Final = 500
SHOWN_CHECKS: Final = 10


class Message(NamedTuple):
    """`text` is what a notification shows; `blocks` are what the channel shows."""

    text: str
    blocks: list[dict[str, Any]]


def started(as_of_date: str, run_id: str, job: str) -> Message:
    """A run has begun."""
    return _message(f":arrow_forward: {job} started for {as_of_date}", run_id)


def succeeded(summary: RunSummary, job: str, *, recovered: bool) -> Message:
    """A run went well; says so especially where the one before it had failed."""
    verb = "recovered" if recovered else "succeeded"
    icon = ":large_yellow_circle:" if summary.red_checks else ":large_green_circle:"
    checks = summary.checks
    return _message(
        f"{icon} {job} {verb} for {summary.as_of_date} in {summary.seconds:.0f} s",
        summary.run_id,
        _stages(summary),
        f"Checks: {checks.passed} passed, {checks.warned} warned, {checks.failed} failed",
        _red_checks(summary),
    )


def failed(summary: RunSummary, job: str) -> Message:
    """A run failed: where, why, and what that means for the reader of a report."""
    reasons = [
        f"*{escaped(failure.step)}*: {escaped(failure.reason[:REASON_CHARACTERS])}"
        for failure in summary.failures
    ]
    return _message(
        f":red_circle: {job} failed for {summary.as_of_date}",
        summary.run_id,
        "\n".join(reasons) or "No step gives a reason; look at the run.",
        _red_checks(summary),
        "Reports show the state of the last good run.",
    )


def canceled(as_of_date: str, run_id: str, job: str) -> Message:
    """Somebody stopped a run."""
    return _message(f":black_square_for_stop: {job} was canceled for {as_of_date}", run_id)


def escaped(text: str) -> str:
    """Text that Slack shows as it is."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(headline: str, run_id: str, *sections: str) -> Message:
    texts = [f"*{headline}*", *(section for section in sections if section)]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _shortened(text)}} for text in texts
    ]
    blocks.append(
        {"type": "context", "elements": [{"type": "mrkdwn", "text": f"run `{escaped(run_id)}`"}]}
    )
    return Message(headline, blocks)


def _stages(summary: RunSummary) -> str:
    return "\n".join(
        f"{stage.name}: {stage.rows_in:,} in, {stage.rows_out:,} out,"
        f" {stage.rows_refused:,} refused, {stage.seconds:.1f} s"
        for stage in summary.stages
    )


def _red_checks(summary: RunSummary) -> str:
    lines = [
        f"{':red_circle:' if check.is_error else ':large_yellow_circle:'} {escaped(check.name)}"
        f" {escaped(check.description[:REASON_CHARACTERS])}"
        for check in summary.red_checks[:SHOWN_CHECKS]
    ]
    if more := len(summary.red_checks) - len(lines):
        lines.append(f"and {more} more")
    return "\n".join(lines)


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 3]}..."
