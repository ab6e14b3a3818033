"""Slack messages about runs. Pure: no Dagster, no Slack.

A run is one thread: a headline with its state, what the run brought or why it failed, and one
digest of the red checks. Where there are no threads, `at_once` joins them into one message at the
end. A batch that is not done at its deadline gets a message of its own.

Text from outside (errors, titles in descriptions) goes into `plain_text`, where Slack reads no
markup, or is escaped for mrkdwn. Source: Slack API, "Formatting text for app surfaces", and the
limits of the Block Kit reference.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.runs.summary import (
    CANCELED,
    CheckCounts,
    RedCheck,
    RunRecord,
    RunSummary,
    StepFailure,
    counted,
)

BLOCKS: Final = 50
TEXT_CHARACTERS: Final = 3000
HEADER_CHARACTERS: Final = 150
# About what a phone shows without scrolling.
REASON_CHARACTERS: Final = 500
DESCRIPTION_CHARACTERS: Final = 300
SHOWN_FAILURES: Final = 3
SHOWN_CHECKS: Final = 10
# Smaller changes, as a share or in rows, are not worth a mention: a product was added, or one fewer
# record refused.
NOTABLE_SHARE: Final = 0.01
NOTABLE_ROWS: Final = 5

_DBT: Final = ("stg", "core", "mart")
_GREEN, _YELLOW, _RED = ":large_green_circle:", ":large_yellow_circle:", ":red_circle:"
_STOPPED, _UNDER_WAY = ":black_square_for_stop:", ":arrow_forward:"

# What a failure at a stage means for the reader of a report.
_MEANING: Final = {
    "ingest": "No new Keepa data has come. Reports show the last good night.",
    "landing": "Airbyte's files are not all there. Nothing of the day is loaded; reports show the"
    " last good night.",
    "raw": "The day's files are not loaded. Reports show the last good night.",
    "dbt": "Tables are not all built, or a test is red. Power BI is not refreshed; reports show the"
    " last good night.",
    "bi": "MART is right and current, but Power BI still shows the last good night.",
    "": "Reports show the last good night.",
}

_ALONE: Final = "A person executed them. No table was loaded or built, and no report has changed."


class Message(NamedTuple):
    """`text` is shown in the notification, `blocks` in the channel."""

    text: str
    blocks: list[dict[str, Any]]


class Links(NamedTuple):
    """Addresses of Dagster's UI and of the folder infra/runbooks; without one, names replace links.

    `mention` is whom a blocking failure mentions, in Slack's markup.
    """

    dagster_url: str = ""
    runbooks_url: str = ""
    mention: str = ""


def headline(record: RunRecord, job: str, *, recovered: bool = False) -> Message:
    """The state of the run in one line: the first message of its thread."""
    text = _headline(record.summary, job, recovered=recovered)
    return Message(text, [_mrkdwn(f"*{text}*"), _footer([f"run `{record.summary.run_id}`"])])


def end(
    record: RunRecord, job: str, before: RunSummary | None, links: Links, *, recovered: bool
) -> Message:
    """What the run brought, or why it failed and what that means."""
    summary = record.summary
    text = _headline(summary, job, recovered=recovered)
    match summary.status:
        case _ if summary.are_checks_alone:
            reasons = [
                _plain(_shortened(one.reason, REASON_CHARACTERS)) for one in summary.failures
            ]
            blocks = [*([] if summary.red_checks else reasons[:SHOWN_FAILURES]), _mrkdwn(_ALONE)]
        case "success":
            blocks = [_mrkdwn(_brought(record)), _mrkdwn(changed_most(summary, before))]
        case "canceled":
            blocks = [_mrkdwn("A person stopped it. Reports show the last good night.")]
        case _:
            blocks = _failure(summary)
    mention = [_mrkdwn(links.mention)] if links.mention and needs_a_person(summary) else []
    return Message(
        text, [_header(text), *mention, *blocks, _footer(_links(summary, links), summary)]
    )


def checks(summary: RunSummary, links: Links) -> Message | None:
    """One digest of all red checks; None if there are none."""
    red = sorted(summary.red_checks, key=lambda check: not check.is_error)
    if not red:
        return None
    counts = summary.checks
    text = f"Checks for {summary.days}: {counts.failed} failed, {counts.warned} warned"
    more = len(red) - SHOWN_CHECKS
    return Message(
        text,
        [
            _mrkdwn(f"*{text}*"),
            *(block for check in red[:SHOWN_CHECKS] for block in _red_check(check, links)),
            *([_mrkdwn(f"and {more} more: see the run, or `vp status`")] if more > 0 else []),
        ],
    )


def deadline_missed(
    job: str,
    day: date,
    deadline: str,
    state: str,
    late: Mapping[str, date] | None,
    links: Links,
    *,
    is_news: bool,
) -> Message:
    """The batch of a day is not done at its deadline (HH:MM UTC): its state, and what is late.

    `late` maps each late mart to its newest day, None if the warehouse could not be queried. A
    person is mentioned only if it `is_news`.
    """
    text = f"{_YELLOW} {job} for {day} is not done at {deadline} UTC"
    if late is None:
        marts = "The freshness of MART cannot be read now."
    elif late:
        marts = "Late: " + ", ".join(f"`{mart}` ends {newest}" for mart, newest in late.items())
    else:
        marts = "MART has the day already, Power BI does not."
    ui = [f"<{links.dagster_url.rstrip('/')}/runs|runs>"] if links.dagster_url else []
    return Message(
        text,
        [
            _header(text),
            *([_mrkdwn(links.mention)] if links.mention and is_news else []),
            _mrkdwn(f"{state} Reports show the last good night."),
            _mrkdwn(marts),
            _footer([*ui, _runbook_link(runbooks.OF_DEADLINE, links)]),
        ],
    )


def at_once(parts: Iterable[Message | None]) -> Message:
    """Several messages as one, for a channel without threads."""
    messages = [part for part in parts if part is not None]
    blocks = [block for message in messages for block in message.blocks]
    return Message(messages[0].text, blocks[:BLOCKS])


def needs_a_person(summary: RunSummary) -> bool:
    """Whether reports stay wrong or old until a person acts. Checks executed alone do not count:
    the person who executes them sees the result."""
    return not summary.is_good and summary.status != CANCELED and not summary.are_checks_alone


def changed_most(summary: RunSummary, before: RunSummary | None) -> str:
    """A sentence with the count that changed most, in proportion, since the run before.

    Run time is left to the check `run_time_is_usual`, which knows what is usual.
    """
    if before is None:
        return "There is no earlier good run to compare with."
    then = {stage.name: stage for stage in before.stages}
    changes = [
        (abs(now - was) / max(was, 1), f"{stage.name}: {now:,} {what}, {now - was:+,}")
        for stage in summary.stages
        if stage.name in then
        for what, now, was in (
            ("rows out", stage.rows_out, then[stage.name].rows_out),
            ("refused", stage.rows_refused, then[stage.name].rows_refused),
        )
        if now is not None and was is not None and abs(now - was) >= NOTABLE_ROWS
    ]
    share, change = max(changes, default=(0.0, ""))
    if share < NOTABLE_SHARE:
        return f"Much the same as the run for {before.days}."
    return f"Changed most since the run for {before.days}: {change} ({share:.0%})."


def escaped(text: str) -> str:
    """The text with links and mentions of mrkdwn disarmed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _headline(summary: RunSummary, job: str, *, recovered: bool) -> str:
    day = summary.days
    match summary.status:
        case _ if summary.are_checks_alone:
            return f"{_icon_of_checks(summary)} {_checks_headline(summary)}"
        case "success" if summary.checks.failed:
            icon, verb = _RED, "ended with failed checks"
        case "success":
            icon = _YELLOW if summary.red_checks else _GREEN
            verb = "recovered" if recovered else "succeeded"
        case "canceled":
            icon, verb = _STOPPED, "was canceled"
        case "failure":
            icon, verb = _RED, "failed"
        case _:
            return f"{_UNDER_WAY} {job} started for {day}"
    return f"{icon} {job} {verb} for {day} in {_duration(summary.seconds)}"


def _checks_headline(summary: RunSummary) -> str:
    """The headline of checks executed alone: their outcomes."""
    match summary.status:
        case "success" | "failure" if summary.checks.run:
            verb = f"executed alone for {summary.days}: {summary.checks}"
        case "success" | "failure":
            verb = f"executed alone for {summary.days} have no result"
        case "canceled":
            verb = f"executed alone for {summary.days} were canceled"
        case _:
            verb = "are executed alone"
    return f"Checks {verb}"


def _icon_of_checks(summary: RunSummary) -> str:
    match summary.status:
        case "success" | "failure" if summary.checks.failed:
            return _RED
        case "success" | "failure" if summary.red_checks or not summary.checks.run:
            return _YELLOW
        case "success" | "failure":
            return _GREEN
        case "canceled":
            return _STOPPED
        case _:
            return _UNDER_WAY


def _brought(record: RunRecord) -> str:
    """One line of counts per stage, one for dbt, and one for Keepa's tokens if they are known."""
    summary = record.summary
    lines = [
        f"{stage.name}: {counted(stage.rows_in)} in, {counted(stage.rows_out)} out"
        + (f", *{stage.rows_refused:,} refused*" if stage.rows_refused else "")
        for stage in summary.stages
        if stage.seconds is not None
    ]
    of_dbt = [stage for stage in summary.stages if stage.name in _DBT]
    tests = CheckCounts(
        **{
            outcome: sum(getattr(stage.checks, outcome) for stage in of_dbt)
            for outcome in CheckCounts.model_fields
        }
    )
    seconds = sum(stage.seconds or 0.0 for stage in of_dbt)
    lines.append(f"dbt: {record.models_built} tables in {_duration(seconds)}; tests: {tests}")
    if record.tokens_spent is not None:
        lines.append(f"Keepa: {record.tokens_spent:,} tokens")
    return "\n".join(lines)


def _failure(summary: RunSummary) -> list[dict[str, Any]]:
    failures = summary.failures or [StepFailure(step="run", reason="No step gave a reason.")]
    blocks = [
        block
        for failure in failures[:SHOWN_FAILURES]
        for block in (
            _mrkdwn(f"*{_stage(failure) or 'run'}*, step `{_code(failure.step)}`"),
            _plain(_shortened(failure.reason, REASON_CHARACTERS)),
        )
    ]
    if more := len(failures) - SHOWN_FAILURES:
        blocks += [_mrkdwn(f"and {more} more steps")] if more > 0 else []
    return [*blocks, _mrkdwn(_MEANING[_stage(failures[0])])]


def _red_check(check: RedCheck, links: Links) -> list[dict[str, Any]]:
    icon = _RED if check.is_error else _YELLOW
    runbook = runbooks.of_check(check.name)
    return [
        _mrkdwn(f"{icon} `{_code(check.name)}`, {_runbook_link(runbook, links)}"),
        _plain(_shortened(check.description or "No description.", DESCRIPTION_CHARACTERS)),
    ]


def _links(summary: RunSummary, links: Links) -> list[str]:
    """Links to the run and, after a failure, to the runbook."""
    run = summary.run_id
    if links.dagster_url:
        run = f"<{links.dagster_url.rstrip('/')}/runs/{run}|run {run[:8]}>"
    else:
        run = f"run `{run}`"
    if summary.status != "failure":
        return [run]
    return [run, _runbook_link(runbooks.of_failure(summary), links)]


def _runbook_link(runbook: str, links: Links) -> str:
    if links.runbooks_url:
        return f"<{links.runbooks_url.rstrip('/')}/{runbook}.md|runbook {runbook}>"
    return f"runbook `{runbooks.file_of(runbook)}`"


def _stage(failure: StepFailure) -> str:
    return "dbt" if failure.stage in _DBT else failure.stage


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _header(text: str) -> dict[str, Any]:
    plain = {"type": "plain_text", "text": _shortened(text, HEADER_CHARACTERS), "emoji": True}
    return {"type": "header", "text": plain}


def _mrkdwn(text: str) -> dict[str, Any]:
    mrkdwn = {"type": "mrkdwn", "text": _shortened(text, TEXT_CHARACTERS)}
    return {"type": "section", "text": mrkdwn}


def _plain(text: str) -> dict[str, Any]:
    """Text from outside, in which Slack reads no markup."""
    return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}


def _footer(texts: Sequence[str], summary: RunSummary | None = None) -> dict[str, Any]:
    parts = [*texts] if summary is None else [*texts, f"checks: {summary.checks}"]
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": " | ".join(parts)}]}


def _code(text: str) -> str:
    """Text that is safe between two backticks."""
    return escaped(re.sub(r"[`\s]+", " ", text))


def _shortened(text: str, characters: int) -> str:
    """The text cut to so many characters; "(empty)" if nothing in it is visible."""
    visible = text.replace("\x00", "").strip() or "(empty)"
    return visible if len(visible) <= characters else f"{visible[: characters - 3]}..."
