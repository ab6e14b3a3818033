"""The output of `vp run` and `vp status` for good nights and for red ones."""

import io
import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest

from veracitypro_pipeline.cli.progress import Progress, print_summary
from veracitypro_pipeline.cli.status import _print
from veracitypro_pipeline.cli.terminal import Screen
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.monitoring.status import LastingRedCheck, Run, StageRow, Status
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    RedCheck,
    RunSummary,
    Stage,
    StepFailure,
)
from veracitypro_pipeline.service_levels import freshness
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


def a_status(*red: LastingRedCheck, runs: int = 1) -> Status:
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
    stages = [
        StageRow(stage=stage, rows_in=754_721, rows_out=754_721, rows_refused=0, seconds=1.0)
        for stage in STAGES
    ]
    return Status(
        as_of_date=date(2026, 1, 31),
        runs=[a_run] * runs,
        hops_of_run="run-1",
        hops=stages,
        red_checks=list(red),
        marts=freshness(
            [
                {"mart": "dim_date", "newest_date": date(2026, 1, 31)},
                {"mart": "fct_offer_price_daily", "newest_date": None},
            ],
            date(2026, 1, 31),
        ),
        late_files=[],
    )


def test_all_is_well_only_without_a_warning(
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


def test_a_check_that_warns_of_several_tables_is_named_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = [
        RedCheck(name=f"mart/{mart}: data_is_fresh", is_error=False, description=f"{mart} is late.")
        for mart in ("dim_product", "fct_monthly_sold")
    ]
    print_summary(a_summary(*late, WARNED))
    line = "Done, with 3 warnings: data_is_fresh (2 tables), lines_are_json."
    assert line in capsys.readouterr().out


def test_a_failed_check_names_its_runbook_and_a_failed_step_that_of_its_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(a_summary(WARNED, FAILED, status="failure"))
    printed = capsys.readouterr().out
    assert "raw_rows_are_accepted_or_refused failed: Rows that fail it: 1." in printed
    assert "the next steps in infra/runbooks/dbt_conservation.md" in printed
    assert "78 passed, 1 warned, 1 failed │" in printed

    failure = StepFailure(step="landing__keepa", reason="S3 is away.", stage="landing")
    print_summary(a_summary(status="failure", failures=[failure]))
    assert "the next steps in infra/runbooks/landing_failed.md" in capsys.readouterr().out


def test_status_shows_a_red_check_with_its_start_and_its_runbook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    red = LastingRedCheck(
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
    assert "fct_offer_price_daily is empty: it has rows only if the Airbyte source asks" in printed
    assert "dim_date is empty" not in printed
    assert (
        "raw/keepa_raw: lines_are_json warned, since 2026-01-29 (3 times in a row):"
        " 1 of 24 lines is refused. (infra/runbooks/lines_are_json.md)" in printed
    )
    assert "All is well" not in printed


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_days_and_numbers_are_whole_on_every_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No column is dropped either: columns without room move to a table below."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # Treated as a terminal, which may be narrow.
    monkeypatch.setenv("NO_COLOR", "1")
    status = a_status(runs=3)
    status.runs[1] = status.runs[1].model_copy(
        update={"seconds": 12345.6, "tokens_spent": 72_000, "tests_warned": 1, "tests_failed": 12}
    )
    _print(status, Settings.load(home=Path("/h")))
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
    for header in ("tokens", "records", "refused", "seconds", "checks", "rows are"):
        assert re.search(f"┃ +{header} +┃", printed)
    for cell in ("72,000", "12,345.6", r"203 passed,?", "12 failed", "rows offered.*"):
        assert re.search(f"│ +{cell} +│", printed) or f", {cell} " in printed


def progress_of(*events: tuple[str, str]) -> list[str]:
    """The lines of progress after these events: what happened, to which asset."""
    screen = Screen(file=io.StringIO(), width=200)
    progress = Progress(screen)
    for kind, asset in events:
        key = dg.AssetKey(asset.split("/"))
        event = SimpleNamespace(event_type=dg.DagsterEventType(kind), asset_key=key)
        progress.on_event(cast(dg.EventLogEntry, SimpleNamespace(dagster_event=event)))
    assert isinstance(screen.file, io.StringIO)
    return [line.split(" s  ")[1] for line in screen.file.getvalue().splitlines()]


def test_progress_prints_finished_stages_in_order() -> None:
    """dbt builds marts without ancestors before it has built CORE."""
    assets = [
        *("raw/keepa_raw", "mart/dim_marketplace", "stg/stg_keepa_fetch", "stg/stg_keepa_price"),
        *("core/core_keepa_category", "mart/dim_product", "powerbi/veracitypro"),
    ]
    planned = [("ASSET_MATERIALIZATION_PLANNED", asset) for asset in assets]
    made = [("ASSET_MATERIALIZATION", asset) for asset in assets]
    lines = [
        "raw: raw/keepa_raw is done",
        "stg: all 2 tables are done",
        "core: core/core_keepa_category is done",
        "mart: all 2 tables are done",
        "bi: powerbi/veracitypro is done",
    ]
    assert progress_of(*planned, *made) == lines
    # An unfinished stage is not printed, nor are those after it.
    assert progress_of(*planned, *made[:3], *made[5:]) == lines[:1]
    # The order of the events does not matter.
    assert progress_of(*planned, *reversed(made)) == lines
