"""Every alert has a runbook, every runbook an alert, and each can be followed half asleep."""

import re
import shlex

import click
import pytest

from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.run_summary import CheckCounts, RedCheck, RunSummary, StepFailure
from veracitypro_pipeline.settings import REPOSITORY_DIR

FOLDER = REPOSITORY_DIR / "infra" / "runbooks"
SECTIONS = [
    "Symptom",
    "What the reader of the dashboard sees",
    "First three commands",
    "Safe re-run",
    "When to wake someone",
]


def test_alerts_and_runbooks_have_the_same_names() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == runbooks.ALL
    assert set(runbooks.OF_STAGES) == set(STAGES)


@pytest.mark.parametrize("name", sorted(runbooks.ALL))
def test_a_runbook_has_its_five_sections_and_three_commands_that_vp_understands(name: str) -> None:
    text = (FOLDER / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^#+ .+$", text, flags=re.MULTILINE)[2:])
    (block,) = re.findall(r"```bash\n(.+?)```", text, re.DOTALL)
    commands = block.splitlines()
    in_text = re.findall(r"`(vp [^`]+? --[^`]+)`", " ".join(text.split()))
    assert len(commands) == 3
    for line in [*commands, *in_text]:
        program, command, *arguments = shlex.split(line)
        assert program == "vp"
        context = click.Context(vp)
        known = vp.get_command(context, command)
        assert known is not None, line
        known.make_context(command, arguments, parent=context)


@pytest.mark.parametrize(
    ("name", "runbook"),
    [
        ("records_equal_lines", "records_equal_lines"),
        ("unique_combination_dim_product_domain_id__asin", "dbt_keys"),
        ("never_null_fct_price_history_daily_asin", "dbt_keys"),
        ("raw_rows_are_accepted_or_refused", "dbt_conservation"),
        ("tracked_products_are_fetched", "tracked_products_are_fetched"),
        ("core_keepa_price_daily_is_ordered", "dbt_values"),
        ("accepted_values_dim_product_role__own__competitor", "dbt_values"),
    ],
)
def test_a_check_is_found_by_its_name_and_a_dbt_test_by_what_it_guards(
    name: str, runbook: str
) -> None:
    assert runbooks.of_check(name) == runbook


@pytest.mark.parametrize(
    ("stage", "red", "runbook"),
    [
        ("landing", "landing/keepa/product_raw: files_arrived", "files_arrived"),
        ("stg", "stg/stg_keepa_price: unique_combination_stg_keepa_price_asin", "dbt_keys"),
        ("core", None, "dbt_failed"),
        ("bi", None, "bi_failed"),
        ("", None, "run_failed"),
    ],
)
def test_a_failed_run_has_the_runbook_of_the_check_that_stopped_it_or_of_its_stage(
    stage: str, red: str | None, runbook: str
) -> None:
    checks = [RedCheck(name=red, is_error=True, description="")] if red else []
    summary = RunSummary(
        run_id="r",
        as_of_date="2026-01-31",
        status="failure",
        seconds=1,
        stages=[],
        checks=CheckCounts(failed=len(checks)),
        red_checks=checks,
        failures=[StepFailure(step="s", reason="It broke.", stage=stage)],
    )
    assert runbooks.of_failure(summary) == runbook
