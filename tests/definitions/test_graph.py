"""The graph as Dagster knows it: names, order, checks, retries, job, schedule, sensors."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._cli.definitions import definitions_cli
from dagster_dg_cli.cli import cli as dg_cli

from veracitypro_pipeline.automation.schedules import build_schedules
from veracitypro_pipeline.definitions import STEP_RETRIES, build_definitions
from veracitypro_pipeline.lineage import (
    DBT_STAGES,
    JOB_NAME,
    MART,
    POWERBI_DATASET,
    SCHEDULE_NAME,
    STAGES,
    ingest_key,
    landing_key,
    raw_key,
    stage_of,
)
from veracitypro_pipeline.notify import runbooks
from veracitypro_pipeline.notify import sensors as notify_sensors
from veracitypro_pipeline.resources.dbt.command import manifest_path
from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.settings import REPOSITORY_DIR, Environment, Settings
from veracitypro_pipeline.sources.keepa import OPTIONS, PRODUCT_RAW

SNAPSHOT = Path(__file__).parent / "graph.json"
DIM_PRODUCT: Final = dg.AssetKey(["mart", "dim_product"])
ENVIRONMENTS: Final[tuple[Environment, ...]] = ("local", "dev", "prod")
DUMMY_ACCOUNTS = {
    "AIRBYTE_WORKSPACE_ID": "workspace",
    "AIRBYTE_CONNECTION_ID": "connection",
    "AIRBYTE_CLIENT_ID": "client",
    "AIRBYTE_CLIENT_SECRET": "dummy",
    "SNOWFLAKE_ACCOUNT": "account",
    "SNOWFLAKE_USER": "user",
    "POWERBI_TENANT_ID": "tenant",
    "SLACK_BOT_TOKEN": "dummy",
}
# Refuses every connection, every look-up of a name, and whatever a library warns our modules of
# beyond what they name themselves; then loads what Dagster loads.
OFFLINE = """
import json, socket, sys, time, warnings
import dagster as dg
of_dagster = (dg.SupersessionWarning, dg.PreviewWarning, dg.BetaWarning)
for category in (DeprecationWarning, FutureWarning, *of_dagster):
    warnings.filterwarnings("error", category=category, module="veracitypro_pipeline")
def refuse(*_, **__):
    raise AssertionError("the code location opened a socket")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
from veracitypro_pipeline.automation.schedules import build_schedules
from veracitypro_pipeline.definitions import defs
graph = defs.resolve_asset_graph()
defs.resolve_job_def("vp_daily_batch")
print(json.dumps(sorted(key.to_user_string() for key in graph.get_all_asset_keys())))
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.load(home=tmp_path_factory.mktemp("graph"))


@pytest.fixture(scope="module")
def built(settings: Settings) -> dict[str, dg.Definitions]:
    """The definitions of each environment."""
    return built_for(settings)


def built_for(settings: Settings) -> dict[str, dg.Definitions]:
    """dbt parses for `local`; the others load the same manifest, as they do from one wheel."""
    built: dict[str, dg.Definitions] = {}
    manifest_path(settings)
    for environment in ENVIRONMENTS:
        of_environment = settings.model_copy(update={"environment": environment})
        if environment != settings.environment:
            shutil.copytree(settings.dbt_target_dir, of_environment.dbt_target_dir)
        built[environment] = build_definitions(of_environment)
    return built


@pytest.fixture(scope="module")
def defs(built: dict[str, dg.Definitions]) -> dg.Definitions:
    return built["local"]


@pytest.fixture(scope="module")
def graph(defs: dg.Definitions) -> Any:
    return defs.resolve_asset_graph()


pytestmark = pytest.mark.xdist_group("graph")


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_the_definitions_load_without_any_network(
    environment: str, settings: Settings, graph: Any, tmp_path: Path
) -> None:
    """In a process of its own; for `local`, dbt parses the project."""
    if environment == "prod":
        parsed = tmp_path / "home" / "dbt" / "prod" / "parse"
        shutil.copytree(settings.dbt_target_dir, parsed)
    outcome = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY_DIR),
            "VP_ENVIRONMENT": environment,
            "VP_HOME": str(tmp_path / "home"),
            **(DUMMY_ACCOUNTS if environment == "prod" else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    keys = json.loads(outcome.stdout.splitlines()[-1])
    assert keys == sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    assert "Warning" not in outcome.stderr


@pytest.mark.parametrize(
    ("cli", "arguments", "said"),
    [
        (dg_cli, ["check", "defs"], "All definitions loaded successfully."),
        (dg_cli, ["list", "defs", "--json"], '"vp_daily_batch"'),
        (
            definitions_cli,
            ["validate"],
            "All code locations passed validation.",
        ),
    ],
)
def test_dagsters_own_commands_find_the_definitions(
    cli: click.Group, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pyproject.toml, in this process."""
    monkeypatch.chdir(REPOSITORY_DIR)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    outcome = CliRunner().invoke(cli, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert said in outcome.output


def test_the_graph_is_the_one_that_was_reviewed(built: dict[str, dg.Definitions]) -> None:
    """After a wanted change: `python tests/definitions/test_graph.py > graph.json` beside it."""
    assert described(built) == json.loads(SNAPSHOT.read_text())


def described(built: dict[str, dg.Definitions]) -> dict[str, Any]:
    """The assets, which are the same everywhere, and what runs by itself in each environment."""
    assets = [assets_of(defs.resolve_asset_graph()) for defs in built.values()]
    assert all(of_one == assets[0] for of_one in assets)
    return {
        "assets": assets[0],
        "environments": {
            environment: {
                "jobs": {
                    JOB_NAME: len(
                        list(defs.resolve_job_def(JOB_NAME).asset_layer.executable_asset_keys)
                    )
                },
                "schedules": {
                    schedule.name: [str(schedule.cron_schedule), schedule.default_status.value]
                    for schedule in defs.get_repository_def().schedule_defs
                },
                "sensors": {
                    sensor.name: sensor.default_status.value
                    for sensor in defs.get_repository_def().sensor_defs
                },
            }
            for environment, defs in built.items()
        },
    }


def assets_of(graph: Any) -> dict[str, Any]:
    """Group, first day of the partitions, parents and checks of every asset."""
    return {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "daily_from": graph.get(key).partitions_def.start.date().isoformat(),
            "reads": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(check.name for check in graph.get(key).check_keys),
        }
        for key in sorted(graph.get_all_asset_keys())
    }


def test_every_stage_leads_to_power_bi(graph: Any) -> None:
    upstream = {POWERBI_DATASET}
    while True:
        parents = {parent for key in upstream for parent in graph.get(key).parent_keys}
        if parents <= upstream:
            break
        upstream |= parents
    assert {stage_of(key) for key in upstream} == set(STAGES)
    assert {ingest_key(PRODUCT_RAW), landing_key(PRODUCT_RAW), raw_key(PRODUCT_RAW)} <= upstream


def test_every_asset_has_a_group_an_owner_a_kind_a_description_and_a_partition_a_day(
    graph: Any,
) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.group_name == stage_of(key)
        assert node.owners == ["team:data"], key
        assert node.kinds, key
        assert node.description, key
        assert "Grain" in node.description, key
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        assert node.partitions_def.start.date().isoformat() == "2025-11-15"


def test_every_stage_is_guarded_and_each_check_says_what_to_do(
    graph: Any, defs: dg.Definitions
) -> None:
    guarded = {stage_of(key) for key in graph.get_all_asset_keys() if graph.get(key).check_keys}
    assert guarded == set(STAGES)
    ours = [
        spec
        for check in defs.asset_checks or []
        if isinstance(check, dg.AssetChecksDefinition)
        for spec in check.check_specs
    ]
    assert {spec.name for spec in ours} == runbooks.OF_CHECKS
    for spec in ours:
        assert str(spec.description).endswith(f"Runbook: infra/runbooks/{spec.name}.md")
        assert "If red:" in str(spec.description) or "If it warns:" in str(spec.description)
    blocking = {spec.name for spec in ours if spec.blocking}
    assert blocking == {
        "sync_succeeded",
        "files_arrived",
        "records_equal_lines",
        "lines_are_json",
        "lines_loaded_or_quarantined",
        "nothing_lost_between_raw_and_mart",
        "refusals_are_few",
    }


def test_every_dbt_test_says_what_it_guards_what_breaks_and_what_to_do(graph: Any) -> None:
    checks = {
        key: graph.get_check_spec(key)
        for asset in graph.get_all_asset_keys()
        if stage_of(asset) in DBT_STAGES
        for key in graph.get(asset).check_keys
    }
    for key, spec in checks.items():
        description = str(spec.description)
        assert "If red:" in description or "If it warns:" in description, key
        assert description.endswith(f"Runbook: infra/runbooks/{runbooks.of_check(key.name)}.md")
        assert "{" not in description, key
    (of_key,) = [
        spec.description
        for key, spec in checks.items()
        if key.name == "primary_key_dim_product_domain_id__asin"
    ]
    assert of_key == (
        "No two rows have the same domain_id, asin, and none of these is null.\n\n"
        "If red: what reads this table is not built, and Power BI is not refreshed. If this table"
        " is wrong, reports lose products or mix our own with those of competitors.\n\n"
        "Runbook: infra/runbooks/dbt_keys.md"
    )


def test_an_edge_is_what_a_table_is_made_of_and_not_the_order(graph: Any) -> None:
    """dbt orders the build by more: a gate, and what tells a model which days have changed."""
    gate = dg.AssetKey(["stg", "stg_keepa_quarantine"])
    daily = dg.AssetKey(["core", "core_keepa_price_daily"])
    assert graph.get(daily).parent_keys == {
        dg.AssetKey(["core", "core_keepa_series"]),
        dg.AssetKey(["stg", "stg_keepa_price"]),
    }
    assert graph.get(gate).child_keys == set()
    gated = {
        key
        for key in graph.get_all_asset_keys()
        if "waits for the tests of stg_keepa_quarantine" in graph.get(key).metadata
    }
    of_core = {key for key in graph.get_all_asset_keys() if stage_of(key) == "core"}
    assert daily in gated
    # It is of a table behind the gate, and stands behind it by that.
    assert of_core - gated == {dg.AssetKey(["core", "core_keepa_series"])}
    assert (
        graph.get(daily).metadata["waits for the tests of stg_keepa_quarantine"].asset_key == gate
    )


def test_a_description_is_prose_and_says_what_is_empty_as_configured(graph: Any) -> None:
    empty = set()
    for key in graph.get_all_asset_keys():
        description = str(graph.get(key).description)
        assert "Raw SQL" not in description, key
        assert "{{" not in description, key
        if "**Empty as configured**" in description:
            empty.add(key.path[-1])
    assert "fct_offer_price_daily" in empty
    # If one of these is asked for, the descriptions of its tables are wrong.
    assert not {"offers", "stock", "aplus", "videos"} & {name for name, on in OPTIONS.items() if on}


def test_every_model_shows_its_columns_and_what_each_is_made_of(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        if not key.path[-1].startswith(("stg_", "core_", "dim_", "fct_")):
            continue
        metadata = graph.get(key).metadata
        schema = metadata["dagster/column_schema"]
        lineage = metadata["dagster/column_lineage"].deps_by_column
        assert {column.name for column in schema.columns} == set(lineage), key
        assert all(column.type != "?" and column.description for column in schema.columns), key
        for column in schema.columns:
            assert ("Made of `" in column.description) is bool(lineage[column.name]), column
        upstream = {dep.asset_key for deps in lineage.values() for dep in deps}
        assert upstream <= graph.get(key).parent_keys, key


def test_every_asset_links_to_its_code(graph: Any, settings: Settings) -> None:
    """To a file of the checkout on a laptop; elsewhere to the repository, if its address is set."""
    for key in graph.get_all_asset_keys():
        (link,) = graph.get(key).metadata["dagster/code_references"].code_references
        assert Path(link.file_path).is_file(), key
        stem = "assets" if stage_of(key) not in DBT_STAGES else key.path[-1]
        assert Path(link.file_path).stem == stem
    address = "https://code.example/blob/main/"
    deployed = settings.model_copy(update={"environment": "prod", "code_url": address})
    linked = build_definitions(deployed).resolve_asset_graph()
    (link,) = linked.get(raw_key(PRODUCT_RAW)).metadata["dagster/code_references"].code_references
    assert link.url.startswith(f"{address}veracitypro_pipeline/raw/assets.py#L")
    (link,) = linked.get(DIM_PRODUCT).metadata["dagster/code_references"].code_references
    assert link.url == f"{address}dbt_project/models/mart/dim/dim_product.sql#L1"


def test_every_asset_and_check_links_to_where_people_go_on_looking(
    graph: Any, settings: Settings
) -> None:
    """Where the deployment has pages to look at; a laptop has the runbooks' files."""
    for key in graph.get_all_asset_keys():
        assert Path(graph.get(key).metadata["runbook"].path).is_file(), key
    deployed = settings.model_copy(
        update={
            "environment": "prod",
            "airbyte_workspace_id": "w",
            "airbyte_connection_id": "c",
            "powerbi_workspace_id": "p",
            "powerbi_dataset_id": "d",
            "runbooks_url": "https://docs.example/runbooks/",
        }
    )
    linked = build_definitions(deployed).resolve_asset_graph()
    for key, name, url in (
        (
            ingest_key(PRODUCT_RAW),
            "airbyte_connection",
            "https://cloud.airbyte.com/workspaces/w/connections/c/timeline",
        ),
        (
            landing_key(PRODUCT_RAW),
            "landing_files",
            "https://us-east-2.console.aws.amazon.com/s3/buckets/vp-raw-prod-us-east-2"
            "?region=us-east-2&prefix=env%3Dprod/source%3Dkeepa/stream%3Dproduct_raw/",
        ),
        (
            POWERBI_DATASET,
            "powerbi_dataset",
            "https://app.powerbi.com/groups/p/datasets/d/details",
        ),
        (DIM_PRODUCT, "runbook", "https://docs.example/runbooks/dbt_failed.md"),
    ):
        assert linked.get(key).metadata[name].value == url
        assert name == "runbook" or name not in graph.get(key).metadata
    checks = {key for asset in linked.get_all_asset_keys() for key in linked.get(asset).check_keys}
    for check in checks:
        runbook = runbooks.of_check(check.name)
        link = f"[infra/runbooks/{runbook}.md](https://docs.example/runbooks/{runbook}.md)"
        assert str(linked.get_check_spec(check).description).endswith(f"Runbook: {link}"), check


def test_steps_are_tried_again_twice_after_five_minutes(
    settings: Settings, built: dict[str, dg.Definitions]
) -> None:
    for definition in built["prod"].assets or []:
        assert isinstance(definition, dg.AssetsDefinition)
        policy = definition.op.retry_policy
        assert policy is not None
        assert (policy.max_retries, policy.delay) == (STEP_RETRIES, 300)
    assert settings.retry_delay == 2


def test_the_job_is_the_whole_graph_and_the_schedule_is_nightly(
    defs: dg.Definitions, graph: Any
) -> None:
    job = defs.resolve_job_def(JOB_NAME)
    assert job.asset_layer.executable_asset_keys == set(graph.get_all_asset_keys())
    # Dagster logs a hook that it skips after every step.
    assert not job.hook_defs
    schedule = defs.resolve_schedule_def(SCHEDULE_NAME)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("10 0 * * *", "UTC")
    assert schedule.job_name == JOB_NAME
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 3, 1, 0, 10, tzinfo=UTC),
        repository_def=defs.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key == "2026-02-28"


def test_only_production_in_dagster_cloud_runs_by_itself_from_the_start(
    settings: Settings,
) -> None:
    """`vp dev` or `dagster dev` with the settings of production is no second scheduler."""

    def started(environment: Environment, deployment: str | None) -> set[str]:
        there = settings.model_copy(
            update={"environment": environment, "dagster_cloud_deployment": deployment}
        )
        of_itself: list[dg.ScheduleDefinition | dg.SensorDefinition] = [
            *build_schedules(there),
            *notify_sensors.build_sensors(there),
        ]
        return {one.name for one in of_itself if one.default_status.value == "RUNNING"}

    told = {"slack_is_told"}
    for environment in ENVIRONMENTS:
        assert started(environment, None) == told
        in_cloud = {SCHEDULE_NAME, "deadline_is_kept"} if environment == "prod" else set()
        assert started(environment, "vp-prod") == told | in_cloud


def test_every_run_is_recorded_and_told_from_the_start(built: dict[str, dg.Definitions]) -> None:
    for defs in built.values():
        sensors = {sensor.name: sensor.default_status.value for sensor in defs.sensors or []}
        assert sensors == {
            "runs_are_recorded": "RUNNING",
            "slack_is_told": "RUNNING",
            "deadline_is_kept": "STOPPED",
        }


def test_each_dated_mart_is_measured_by_a_check(graph: Any) -> None:
    """The others have no day of their own: they are made of what `dim_product` is made of."""
    measured = {
        key.path[-1]
        for key in graph.get_all_asset_keys()
        if is_mart(key) and "data_is_fresh" in {check.name for check in graph.get(key).check_keys}
    }
    assert measured == set(MARTS)


def is_mart(key: dg.AssetKey) -> bool:
    return stage_of(key) == MART


if __name__ == "__main__":
    now = described(built_for(Settings.load()))
    print(json.dumps(now, indent=1))  # noqa: T201 - made to be redirected into the snapshot
