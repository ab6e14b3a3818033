"""Text from outside, printed by every command: it cannot control the terminal."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from veracitypro_pipeline.cli import doctor, progress, status
from veracitypro_pipeline.cli.main import CannotDo
from veracitypro_pipeline.cli.terminal import Screen
from veracitypro_pipeline.doctor.probe import Finding, State
from veracitypro_pipeline.monitoring.status import LastingRedCheck, LateFile, Run, Status
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    RedCheck,
    RunSummary,
    StepFailure,
)
from veracitypro_pipeline.settings import Settings

# An S3 key that renames the window, then clears the screen, in 7-bit and in 8-bit codes.
HOSTILE = "\x1b]0;pwned\x07\x1b[2J\x9b2J.gz"


def run_summary() -> None:
    progress.print_summary(
        RunSummary(
            run_id="1",
            as_of_date="2026-01-31",
            status="failure",
            seconds=1,
            stages=[],
            checks=CheckCounts(failed=1),
            red_checks=[RedCheck(name="lines", is_error=True, description=HOSTILE)],
            failures=[StepFailure(step="landing", reason=HOSTILE)],
        )
    )


def moving_line() -> None:
    with progress.shown_progress(quiet=False) as shown:
        shown.say(HOSTILE)


def status_of_the_pipeline() -> None:
    instant = datetime(2026, 1, 31, tzinfo=UTC)
    run = Run(
        run_id="1",
        as_of_date=instant.date(),
        status="failure",
        started_at=instant,
        ended_at=instant,
        seconds=1,
        records=None,
        rows_refused=None,
        tokens_spent=None,
        tests_passed=0,
        tests_warned=0,
        tests_failed=1,
        failed_step="landing",
        failure=HOSTILE,
    )
    check = LastingRedCheck(
        check="lines",
        severity="ERROR",
        rows_failing=None,
        red_since_run_at=instant,
        description=HOSTILE,
        red_since=instant.date(),
        evaluations=1,
    )
    file = LateFile(
        source_file=HOSTILE,
        as_of_date=instant.date(),
        lines=1,
        arrived_at=instant,
        loaded_at=instant,
    )
    status._print(
        Status(
            as_of_date=instant.date(),
            runs=[run],
            hops_of_run="1",
            hops=[],
            red_checks=[check],
            marts=[],
            late_files=[file],
        ),
        Settings.load(),
    )


def finding() -> None:
    doctor._print(Finding("airbyte", State.FAULT, HOSTILE, HOSTILE))


def cannot_do() -> None:
    CannotDo(HOSTILE).show()


@pytest.mark.parametrize(
    "say", [run_summary, moving_line, status_of_the_pipeline, finding, cannot_do]
)
def test_no_text_controls_the_terminal(
    say: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    say()
    printed = "".join(capsys.readouterr())
    assert r"\x1b]0;pwned" in printed
    assert r"\x1b[2J\x9b2J.gz" in printed
    assert all(one.isprintable() or one == "\n" for one in printed)


def test_colours_of_our_own_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(force_terminal=True, color_system="standard").print(HOSTILE, style="red")
    printed = capsys.readouterr().out
    assert printed.startswith("\x1b[31m\\x1b]0;pwned")
    assert printed.endswith("\\x9b2J.gz\x1b[0m\n")
