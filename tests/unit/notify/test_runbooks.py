"""Every alert has a runbook, every runbook an alert, and each can be followed half asleep."""

import re
import shlex
from datetime import date

import click
import pytest
import yaml

from veracitypro_pipeline.cli.batch import Batch
from veracitypro_pipeline.cli.main import vp
from veracitypro_pipeline.lineage import STAGES
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.runs.summary import (
    CheckCounts,
    RedCheck,
    RunSummary,
    StepFailure,
)
from veracitypro_pipeline.settings import REPOSITORY_DIR

FOLDER = REPOSITORY_DIR / "infra" / "runbooks"
README = (FOLDER / "README.md").read_text()
BEGINNING = "Before the first command: [which environment, which role, what `<day>` is](README.md)."
RUNBOOKS = {
    *runbooks.OF_CHECKS,
    *runbooks.OF_DBT_TESTS.values(),
    runbooks.OTHER_DBT_TESTS,
    *runbooks.OF_STAGES.values(),
    runbooks.OF_RUN,
    runbooks.OF_DEADLINE,
}
LOOKS = {"status", "sql", "doctor"}
SECTIONS = [
    "Symptom",
    "What the reader of the dashboard sees",
    "First three commands",
    "Safe re-run",
    "When to wake someone",
]


def test_alerts_and_runbooks_have_the_same_names() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == RUNBOOKS | {"README"}
    assert set(re.findall(r"\]\((\w+)\.md\)", README)) == RUNBOOKS
    assert set(runbooks.OF_STAGES) == set(STAGES)


@pytest.mark.parametrize("name", sorted(RUNBOOKS))
def test_a_runbook_has_five_sections_and_three_valid_commands(name: str) -> None:
    """The three commands only read: typed half asleep, they must not start a run."""
    text = (FOLDER / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n\n{BEGINNING}\n")
    assert not re.search(r"20\d\d-\d\d-\d\d", text), "a date that a reader would copy"
    text = text.replace("<day>", "2026-01-31")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(section.strip() for section in re.split(r"^#+ .+$", text, flags=re.MULTILINE)[2:])
    (block,) = re.findall(r"```bash\n(.+?)```", text, re.DOTALL)
    commands = block.splitlines()
    in_text = re.findall(r"`(vp [^`]+? --[^`]+)`", " ".join(text.split()))
    assert len(commands) == 3
    assert {shlex.split(line)[1] for line in commands} <= LOOKS
    for line in [*commands, *in_text]:
        program, command, *arguments = shlex.split(line)
        assert program == "vp"
        context = click.Context(vp)
        known = vp.get_command(context, command)
        assert known is not None, line
        known.make_context(command, arguments, parent=context)


def test_the_role_named_before_the_first_command_may_run_every_query_of_the_runbooks() -> None:
    """By the grants of infra/snowflake: its warehouse and each schema. It cannot write."""
    settings = dict(re.findall(r"^(SNOWFLAKE_\w+)=(\w+)$", README, re.MULTILINE))
    role = settings["SNOWFLAKE_READER_ROLE"]
    grants = (REPOSITORY_DIR / "infra" / "snowflake" / "04_grants.sql").read_text()
    warehouse = settings["SNOWFLAKE_READER_WAREHOUSE"]
    assert f"grant usage on warehouse {warehouse} to role {role};" in grants
    queried = {
        schema
        for file in FOLDER.iterdir()
        for query in re.findall(r'^vp sql "(.+)"$', file.read_text(), re.MULTILINE)
        for schema in re.findall(r"(?:from|join) ([A-Z]+)\.", query)
    }
    assert queried == {"MART", "MONITORING", "RAW", "STG"}
    readable = set(
        re.findall(
            rf"grant select\b[^;]* future tables in schema \S+\.(\w+)\s+to role {role};",
            grants,
        )
    )
    assert queried <= readable
    privileges = set(re.findall(rf"grant ([\w, ]+) on [^;]* to role {role};", grants))
    assert privileges == {"usage", "select"}


def test_dagster_runs_a_day_again_with_the_configuration_of_vp_backfill() -> None:
    (block,) = re.findall(r"```yaml\n(.+?)```", README, re.DOTALL)
    shown = yaml.safe_load(block)["ops"]
    day = date(2026, 1, 31)
    assert (
        shown.items()
        > Batch([day], is_from_s3=True, is_full_refresh=True).from_s3(day)["ops"].items()
    )


@pytest.mark.parametrize(
    ("name", "runbook"),
    [
        ("records_equal_lines", "records_equal_lines"),
        ("primary_key_dim_product_domain_id__asin", "dbt_keys"),
        ("foreign_key_dim_product_domain_id__ref_dim_marketplace_", "dbt_keys"),
        ("not_null_columns_fct_price_history_daily_asin", "dbt_keys"),
        ("raw_rows_are_accepted_or_refused", "dbt_conservation"),
        ("tracked_products_are_fetched", "tracked_products_are_fetched"),
        ("core_keepa_price_daily_is_ordered", "dbt_values"),
        ("accepted_values_dim_product_role__own__competitor", "dbt_values"),
    ],
)
def test_a_check_has_the_runbook_of_its_name_and_a_dbt_test_that_of_what_it_guards(
    name: str, runbook: str
) -> None:
    assert runbooks.of_check(name) == runbook


@pytest.mark.parametrize(
    ("stage", "red", "runbook"),
    [
        ("landing", "landing/keepa/product_raw: files_arrived", "files_arrived"),
        ("stg", "stg/stg_keepa_price: primary_key_stg_keepa_price_asin", "dbt_keys"),
        ("core", None, "dbt_failed"),
        ("bi", None, "bi_failed"),
        ("", None, "run_failed"),
    ],
)
def test_a_failed_run_has_the_runbook_of_its_blocking_check_or_of_its_stage(
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
