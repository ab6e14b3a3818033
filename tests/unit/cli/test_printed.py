"""What `vp run` and `vp status` print: of a calm night, and of one that somebody must look at."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from veracitypro_pipeline.cli.progress import print_summary
from veracitypro_pipeline.cli.status import _print
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring.status import Hop, Run, Status
from veracitypro_pipeline.monitoring.status import RedCheck as LastingCheck
from veracitypro_pipeline.run_summary import (
    CheckCounts,
    RedCheck,
    RunSummary,
    Stage,
    StepFailure,
)
from veracitypro_pipeline.settings import Settings

WARNED = RedCheck(
    name="raw/keepa_raw: lines_are_json", is_error=False, description="1 of 24 lines is refused."
)
FAILED = RedCheck(
    name="stg/stg_keepa_fetch: raw_rows_are_accepted_or_refused",
    is_error=True,
    description="Rows that fail it: 1.",
)
NIGHT = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def a_summary(*red: RedCheck, status: str = "success", **fields: Any) -> RunSummary:
    failed = sum(check.is_error for check in red)
    counts = CheckCounts(passed=78, warned=len(red) - failed, failed=failed)
    return RunSummary(
        run_id="run-1",
        as_of_date="2026-01-31",
        status=status,
        seconds=60,
        checks=counts,
        red_checks=list(red),
        **{
            "stages": [Stage(name=name, checks=counts) for name in STAGES],
            "failures": [],
            **fields,
        },
    )


def a_status(*red: LastingCheck, runs: int = 1) -> Status:
    a_run = Run(
        run_id="run-1",
        as_of_date=date(2026, 1, 31),
        status="success",
        started_at=NIGHT,
        ended_at=NIGHT,
        seconds=17.5,
        records=24,
        rows_refused=0,
        tokens_spent=96,
        tests_passed=203,
        tests_warned=len(red),
        tests_failed=0,
        failed_step=None,
        failure=None,
    )
    hops = [
        Hop(stage=stage, rows_in=754_721, rows_out=754_721, rows_refused=0, seconds=1.0)
        for stage in STAGES
    ]
    return Status(
        as_of_date=date(2026, 1, 31),
        runs=[a_run] * runs,
        hops_of_run="run-1",
        hops=hops,
        red_checks=list(red),
        marts=[],
        late_files=[],
    )


def test_a_calm_night_is_well_and_one_with_a_warning_is_not_said_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(a_summary())
    assert "All is well. 2026-01-31 took 60.0 s; checks: 78 passed; run" in capsys.readouterr().out

    print_summary(a_summary(WARNED))
    printed = capsys.readouterr().out
    assert "All is well" not in printed
    assert "Done, with 1 warning: lines_are_json." in printed
    assert "checks: 78 passed, 1 warned; run" in printed
    assert (
        "raw/keepa_raw: lines_are_json warned: 1 of 24 lines is refused."
        " (infra/runbooks/lines_are_json.md)" in printed
    )


def test_a_failed_check_is_told_with_its_runbook_and_a_failed_step_with_that_of_the_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(a_summary(WARNED, FAILED, status="failure"))
    printed = capsys.readouterr().out
    assert "raw_rows_are_accepted_or_refused failed: Rows that fail it: 1." in printed
    assert "what to do in infra/runbooks/dbt_conservation.md" in printed
    assert "78 passed, 1 warned, 1 failed │" in printed

    failure = StepFailure(step="landing__keepa", reason="S3 is away.", stage="landing")
    print_summary(a_summary(status="failure", failures=[failure]))
    assert "what to do in infra/runbooks/landing_failed.md" in capsys.readouterr().out


def test_status_says_of_a_check_how_it_ended_since_when_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    red = LastingCheck(
        check=WARNED.name,
        severity="WARN",
        rows_failing=None,
        description=WARNED.description,
        red_since=date(2026, 1, 29),
        red_since_run_at=NIGHT,
        evaluations=3,
    )
    _print(a_status(red), Settings.load())
    printed = capsys.readouterr().out
    assert "203 passed, 1 warned │" in printed
    assert (
        "raw/keepa_raw: lines_are_json warned, since 2026-01-29 (3 times in a row):"
        " 1 of 24 lines is refused. (infra/runbooks/lines_are_json.md)" in printed
    )
    assert "All is well" not in printed


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_days_and_numbers_are_whole_on_every_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What there is no room for is left out, the least important first."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # As a terminal, which may be narrow.
    monkeypatch.setenv("NO_COLOR", "1")
    _print(a_status(runs=3), Settings.load())
    stages = [
        Stage(
            name=name,
            rows_in=12_754_721,
            rows_out=12_754_721,
            rows_refused=0,
            seconds=1234.5,
            checks=CheckCounts(passed=85, warned=1, failed=1),
        )
        for name in STAGES
    ]
    print_summary(a_summary(stages=stages))
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= columns
    assert printed.count("│ 2026-01-31 │ 2026-02-01 00:10 │ success │") == 3
    assert printed.count("│ 12,754,721 │ 12,754,721 │       0 │ 1,234.5 │") == len(STAGES)
    assert ("tokens" in printed) == (columns > 80)
    assert ("rows are" in printed) == (columns > 100)
