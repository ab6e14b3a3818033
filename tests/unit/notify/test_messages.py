"""Every Slack message, compared with a golden file and with Block Kit's limits.

After an intended change, `python tests/unit/notify/test_messages.py` writes the files again.
"""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.notify.messages import Links, Message
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    RedCheck,
    RunRecord,
    RunSummary,
    Stage,
    StepFailure,
)

GOLDEN = Path(__file__).parent / "golden"
JOB = "vp_daily_batch"
LINKS = Links("https://dagster.example", "https://code.example/infra/runbooks", "<!here>")
# Block Kit's limits, from Slack's reference: blocks a message, elements a context block.
BLOCKS, ELEMENTS = 50, 10
CHARACTERS = {"section": 3000, "header": 150, "context": 3000}
HOSTILE = ["<!channel> & <@U1|boss>", "x" * 100_000, "```", "\x00\n*b* <https://a.example|b>", ""]

WARNED = RedCheck(
    name="raw/keepa_raw: lines_are_json",
    is_error=False,
    description="1 of 24 lines are refused: {'a.jsonl.gz': 1}.",
)
FAILED = RedCheck(
    name="landing/keepa/product_raw: records_equal_lines",
    is_error=True,
    description="Airbyte job 7 reports 24 records, its files hold 25 lines: they differ by +1.",
)


def a_summary(**fields: Any) -> RunSummary:
    return RunSummary(
        **{
            "run_id": "0f7d6c48-1111-2222-3333-444455556666",
            "as_of_date": "2026-01-31",
            "status": "success",
            "seconds": 75.4,
            "stages": [
                Stage(
                    name=name,
                    rows_in=1234,
                    rows_out=1233,
                    rows_refused=1 if name == "stg" else 0,
                    seconds=10.0,
                    checks=CheckCounts(passed=7),
                )
                for name in STAGES
            ],
            "checks": CheckCounts(passed=49),
            "red_checks": [],
            "failures": [],
            **fields,
        }
    )


def a_record(**fields: Any) -> RunRecord:
    return RunRecord(
        summary=a_summary(**fields),
        job=JOB,
        started_at="2026-02-01T00:10:00Z",
        ended_at="2026-02-01T00:11:15Z",
        tokens_spent=96,
        models_built=58,
        check_results=[],
    )


def the_end(
    record: RunRecord, before: RunSummary | None = None, *, recovered: bool = False
) -> Message:
    return messages.end(record, JOB, before, LINKS, recovered=recovered)


def digest(summary: RunSummary) -> Message:
    message = messages.checks(summary, LINKS)
    assert message is not None
    return message


def failed(stage: str, step: str, reason: str, **fields: Any) -> RunRecord:
    failure = StepFailure(step=step, reason=reason, stage=stage)
    return a_record(status="failure", failures=[failure], **fields)


def a_check_of(summary: RunSummary, *, is_error: bool) -> RunSummary:
    counts = {"warned": 0 if is_error else 1, "failed": 1 if is_error else 0}
    return summary.model_copy(
        update={
            "red_checks": [FAILED if is_error else WARNED],
            "checks": CheckCounts(passed=48, **counts),
        }
    )


BEFORE = a_summary(as_of_date="2026-01-30", seconds=75.0)
STOPPED = failed(
    "landing",
    "landing__keepa__product_raw_records_equal_lines",
    f"records_equal_lines: {FAILED.description}",
    red_checks=[FAILED],
    checks=CheckCounts(passed=4, failed=1),
)


def late(**fields: Any) -> Message:
    of_night: dict[str, Any] = {
        "state": "No run of it has started.",
        "late": {"dim_product": date(2026, 1, 30), "fct_price_history_daily": date(2026, 1, 29)},
        "is_news": True,
    }
    return messages.deadline_missed(
        JOB, date(2026, 1, 31), "06:00", links=LINKS, **{**of_night, **fields}
    )


EVERY_MESSAGE = {
    "deadline_missed": late(),
    "deadline_missed_after_failure": late(
        state="Run 0f7d6c48 has failed.", late=None, is_news=False
    ),
    "deadline_missed_by_power_bi": late(state="Run 0f7d6c48 is in progress.", late={}),
    "started": messages.headline(a_record(status="started"), JOB),
    "headline_succeeded": messages.headline(a_record(), JOB),
    "headline_failed": messages.headline(STOPPED, JOB),
    "succeeded": the_end(a_record(), BEFORE),
    "succeeded_first": the_end(a_record()),
    "succeeded_changed": the_end(
        a_record(),
        BEFORE.model_copy(
            update={
                "stages": [
                    *BEFORE.stages[:-2],
                    BEFORE.stages[-2].model_copy(update={"rows_out": 900}),
                    BEFORE.stages[-1],
                ]
            }
        ),
    ),
    "recovered": the_end(a_record(), BEFORE, recovered=True),
    "warned": the_end(
        a_record(red_checks=[WARNED], checks=CheckCounts(passed=48, warned=1)), BEFORE
    ),
    "ended_red": the_end(
        a_record(red_checks=[FAILED], checks=CheckCounts(passed=48, failed=1)), BEFORE
    ),
    "canceled": the_end(a_record(status="canceled")),
    "failed_check": the_end(STOPPED),
    **{
        f"failed_{stage or 'run'}": the_end(failed(stage, f"{stage or 'run'}_step", "It broke."))
        for stage in (*STAGES, "")
    },
    "failed_without_reason": the_end(a_record(status="failure")),
    "checks_warned": digest(a_check_of(a_summary(), is_error=False)),
    "checks_failed": digest(a_check_of(a_summary(), is_error=True)),
    "webhook_failed": messages.at_once([the_end(STOPPED), digest(STOPPED.summary)]),
}


def hostile_messages(text: str) -> list[Message]:
    record = a_record(
        status="failure",
        failures=[StepFailure(step=text, reason=text, stage="raw")] * 20,
        red_checks=[RedCheck(name=f"mart/x: {text}", is_error=True, description=text)] * 200,
        checks=CheckCounts(failed=200),
    )
    end, checks = the_end(record), digest(record.summary)
    return [end, checks, messages.at_once([end, checks]), messages.headline(record, JOB)]


def is_within_the_limits(message: Message) -> bool:
    texts = [
        (block["type"], text)
        for block in message.blocks
        for text in [*([block["text"]] if "text" in block else []), *block.get("elements", [])]
    ]
    return (
        0 < len(message.text) <= 3000
        and 0 < len(message.blocks) <= BLOCKS
        and all(len(block.get("elements", [])) <= ELEMENTS for block in message.blocks)
        and all(text["type"] in ("mrkdwn", "plain_text") for _, text in texts)
        and all(0 < len(text["text"]) <= CHARACTERS[kind] for kind, text in texts)
        and all(text["type"] == "plain_text" for kind, text in texts if kind == "header")
    )


@pytest.mark.parametrize("name", EVERY_MESSAGE)
def test_each_message_is_the_one_that_was_reviewed(name: str) -> None:
    message = EVERY_MESSAGE[name]
    assert is_within_the_limits(message)
    assert message._asdict() == json.loads((GOLDEN / f"{name}.json").read_text())


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(EVERY_MESSAGE)


@pytest.mark.parametrize("hostile", HOSTILE, ids=["mention", "long", "code", "markup", "empty"])
def test_hostile_text_neither_becomes_markup_nor_exceeds_the_limits(hostile: str) -> None:
    """Text from outside makes no mention or link in mrkdwn; plain text has no markup."""
    for message in hostile_messages(hostile):
        assert is_within_the_limits(message)
        read = [
            text["text"]
            for block in message.blocks
            for text in [*([block["text"]] if "text" in block else []), *block.get("elements", [])]
            if text["type"] == "mrkdwn"
        ]
        for text in [message.text, *read]:
            for markup in ("<!channel>", "<@U1", "<https://a.example", "```", "\x00"):
                assert markup not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seconds": 600.0}, "Much the same as the run for 2026-01-30."),
        ({"rows_refused": 5}, "Much the same as the run for 2026-01-30."),
        (
            {"rows_refused": 7},
            "Changed most since the run for 2026-01-30: stg: 1 refused, -6 (86%).",
        ),
        ({"rows_out": 1229}, "Much the same as the run for 2026-01-30."),
        (
            {"rows_out": 1200},
            "Changed most since the run for 2026-01-30: stg: 1,233 rows out, +33 (3%).",
        ),
        ({"rows_out": None}, "Much the same as the run for 2026-01-30."),
    ],
)
def test_the_largest_change_is_of_a_count_not_of_a_few_rows_or_of_the_time(
    change: dict[str, Any], sentence: str
) -> None:
    stages = [
        stage.model_copy(update=change if stage.name == "stg" else {}) for stage in BEFORE.stages
    ]
    seconds = change.get("seconds", BEFORE.seconds)
    before = BEFORE.model_copy(update={"stages": stages, "seconds": seconds})
    assert messages.changed_most(a_summary(), before) == sentence


def test_a_person_is_mentioned_only_if_one_is_needed() -> None:
    for name, message in EVERY_MESSAGE.items():
        mentions = "<!here>" in json.dumps(message.blocks)
        is_grave = name.startswith(("failed", "ended_red", "webhook_failed", "deadline_missed"))
        assert mentions == (is_grave and name != "deadline_missed_after_failure"), name


def test_without_addresses_names_replace_links_and_no_one_is_mentioned() -> None:
    message = messages.end(STOPPED, JOB, None, Links(), recovered=False)
    blocks = json.dumps(message.blocks)
    assert "`infra/runbooks/records_equal_lines.md`" in blocks
    assert "run `0f7d6c48-1111-2222-3333-444455556666`" in blocks
    assert "<" not in blocks


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for name, message in EVERY_MESSAGE.items():
        text = json.dumps(message._asdict(), indent=1, ensure_ascii=False)
        (GOLDEN / f"{name}.json").write_text(f"{text}\n")
    sys.stdout.write(f"{len(EVERY_MESSAGE)} files written to {GOLDEN}\n")
