"""What Slack shows, for runs that went well, badly, and with hostile words in them."""

from typing import Any

import pytest

from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.run_summary import (
    CheckCounts,
    RedCheck,
    RunSummary,
    Stage,
    StepFailure,
)

# Block Kit's limits, from Slack's reference.
BLOCKS, TEXT = 50, 3000


def a_summary(**fields: Any) -> RunSummary:
    return RunSummary(
        **{
            "run_id": "0f7d6c48",
            "as_of_date": "2026-01-31",
            "status": "success",
            "seconds": 61.4,
            "stages": [
                Stage(name=name, rows_in=1234, rows_out=1233, rows_refused=1, checks=CheckCounts())
                for name in STAGES
            ],
            "checks": CheckCounts(passed=70),
            "red_checks": [],
            "failures": [],
            **fields,
        }
    )


def text_of(message: messages.Message) -> str:
    sections = [block["text"]["text"] for block in message.blocks if "text" in block]
    assert len(message.blocks) <= BLOCKS
    assert all(0 < len(section) <= TEXT for section in sections)
    return "\n".join(sections)


def test_a_good_night_says_what_each_stage_brought() -> None:
    message = messages.succeeded(a_summary(), "vp_daily_batch", recovered=False)
    text = text_of(message)
    assert message.text.endswith("vp_daily_batch succeeded for 2026-01-31 in 61 s")
    for stage in STAGES:
        assert f"{stage}: 1,234 in, 1,233 out, 1 refused" in text
    assert "70 passed, 0 warned, 0 failed" in text


def test_the_first_good_night_after_a_bad_one_is_a_recovery() -> None:
    message = messages.succeeded(a_summary(), "vp_daily_batch", recovered=True)
    assert "recovered for 2026-01-31" in message.text


def test_a_warning_is_shown_with_its_description_in_a_run_that_went_well() -> None:
    red = RedCheck(name="raw/keepa_raw: lines_are_json", is_error=False, description="1 of 24")
    summary = a_summary(red_checks=[red], checks=CheckCounts(passed=70, warned=1))
    message = messages.succeeded(summary, "vp_daily_batch", recovered=False)
    assert ":large_yellow_circle:" in message.text
    assert "lines_are_json 1 of 24" in text_of(message)


def test_a_failure_says_where_why_and_what_readers_see() -> None:
    failure = StepFailure(step="keepa_raw", reason="The file is gone")
    message = messages.failed(a_summary(failures=[failure]), "vp_daily_batch")
    text = text_of(message)
    assert "failed for 2026-01-31" in message.text
    assert "*keepa_raw*: The file is gone" in text
    assert "Reports show the state of the last good run." in text


@pytest.mark.parametrize("hostile", ["<!channel> & <@U1>", "x" * 100_000, "```", "\x00\n*b*"])
def test_hostile_words_neither_break_out_nor_exceed_the_limits(hostile: str) -> None:
    summary = a_summary(
        failures=[StepFailure(step="dbt_models", reason=hostile)] * 20,
        red_checks=[RedCheck(name="a: b", is_error=True, description=hostile)] * 200,
    )
    text = text_of(messages.failed(summary, "vp_daily_batch"))
    assert "<!channel>" not in text
    assert "<@U1>" not in text
