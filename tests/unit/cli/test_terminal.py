"""Text that others have written, printed by every command: it commands no terminal."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from veracitypro_pipeline.cli import doctor, progress, status
from veracitypro_pipeline.cli.main import CannotDo
from veracitypro_pipeline.cli.terminal import Screen
from veracitypro_pipeline.doctor.check import Finding, State
from veracitypro_pipeline.monitoring.status import LateFile, RedCheck, Run, Status
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    RunSummary,
    StepFailure,
)
from veracitypro_pipeline.runs.summary import RedCheck as RedCheckOfRun
from veracitypro_pipeline.settings import Settings

# A key of S3: renames the window, then clears the screen, in codes of 7 and of 8 bits.
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
            red_checks=[RedCheckOfRun(name="lines", is_error=True, description=HOSTILE)],
            failures=[StepFailure(step="landing", reason=HOSTILE)],
        )
    )


def moving_line() -> None:
    with progress.shown_progress(quiet=False) as shown:
        shown.say(HOSTILE)


def how_things_stand() -> None:
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
    check = RedCheck(
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
    doctor._say(Finding("airbyte", State.FAULT, HOSTILE, HOSTILE))


def refusal() -> None:
    CannotDo(HOSTILE).show()


@pytest.mark.parametrize("say", [run_summary, moving_line, how_things_stand, finding, refusal])
def test_no_text_commands_a_terminal(
    say: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    say()
    printed = "".join(capsys.readouterr())
    assert r"\x1b]0;pwned" in printed
    assert r"\x1b[2J\x9b2J.gz" in printed
    assert all(one.isprintable() or one == "\n" for one in printed)


def test_colours_are_still_those_of_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(force_terminal=True, color_system="standard").print(HOSTILE, style="red")
    printed = capsys.readouterr().out
    assert printed.startswith("\x1b[31m\\x1b]0;pwned")
    assert printed.endswith("\\x9b2J.gz\x1b[0m\n")
