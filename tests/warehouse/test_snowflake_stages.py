"""The stage raw and the gate behind MART as Dagster runs them, on Snowflake."""

import json
from typing import Any

import dagster as dg
import pytest
import sqlglot

from tests.support.settings import fixed
from tests.support.warehouse.landing_lines import LINES, envelope
from tests.support.warehouse.site import DAY, Site
from veracitypro_pipeline.lineage import (
    STAGE_VALUES_IO,
    landing_key,
    raw_key,
)
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.raw.assets import build_assets
from veracitypro_pipeline.raw.checks import build_checks
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.sources.keepa import KEEPA, PRODUCT_RAW
from veracitypro_pipeline.sources.keepa.conservation import COUNTS_OF_DAY
from veracitypro_pipeline.sources.keepa.refusals import REFUSALS
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.statement import Statement, positional

pytestmark = pytest.mark.xdist_group("snowflake")


class ManifestGiven(dg.IOManager):
    """An I/O manager that loads this manifest for every input."""

    def __init__(self, manifest: LandingManifest) -> None:
        self.manifest = manifest

    def load_input(self, _context: dg.InputContext) -> LandingManifest:
        return self.manifest

    def handle_output(self, _context: dg.OutputContext, _obj: Any) -> None:
        return None


def run_of_stage(site: Site, *names: str) -> dg.ExecuteInProcessResult:
    """One Dagster run of the stage, with its checks."""
    files = [
        site.land(name, LINES if name.startswith("odd") else [envelope({"asin": name})])
        for name in names
    ]
    manifest = LandingManifest(
        as_of_date=DAY,
        job_id=1,
        records_reported=sum(file.lines for file in files),
        files=tuple(files),
    )
    landing = dg.AssetSpec(
        landing_key(PRODUCT_RAW), partitions_def=daily_as_of
    ).with_io_manager_key(STAGE_VALUES_IO)
    return dg.materialize(
        [landing, *build_assets(KEEPA, dg.RetryPolicy()), *build_checks(KEEPA)],
        partition_key=str(DAY),
        resources={
            "run_settings": fixed(site.settings),
            "s3": site.s3,
            "warehouse": site.warehouse,
            "state_store": StateStore(settings=fixed(site.settings), s3=site.s3),
            STAGE_VALUES_IO: ManifestGiven(manifest),
        },
        raise_on_error=False,
    )


def metadata_of(run: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (materialization,) = run.asset_materializations_for_node("__".join(raw_key(PRODUCT_RAW).path))
    return {name: value.value for name, value in materialization.metadata.items()}


def test_a_night_is_loaded_once_and_checked(snowflake: Site) -> None:
    snowflake.forget()
    first = run_of_stage(snowflake, "a.gz", "b.gz")
    assert first.success
    assert metadata_of(first) | {"load_id": ""} == {
        "rows_in": 2,
        "rows_out": 2,
        "rows_refused": 0,
        "dagster/partition_row_count": 2,
        "files_loaded": 2,
        "files_already_loaded": 0,
        "late_files": [],
        "late_rows": 0,
        "load_id": "",
    }
    assert all(check.passed for check in first.get_asset_check_evaluations())

    again = run_of_stage(snowflake, "a.gz", "b.gz")
    assert (metadata_of(again)["files_loaded"], metadata_of(again)["rows_out"]) == (0, 2)


def test_broken_lines_are_kept_and_reported(snowflake: Site) -> None:
    snowflake.forget()
    run = run_of_stage(snowflake, "odd.gz")
    assert (metadata_of(run)["rows_out"], metadata_of(run)["rows_refused"]) == (11, 15)
    by_name = {check.check_name: check for check in run.get_asset_check_evaluations()}
    assert by_name["lines_loaded_or_quarantined"].passed
    assert not by_name["lines_are_json"].passed


def test_each_statement_of_a_run_carries_run_step_and_day(snowflake: Site) -> None:
    snowflake.forget()
    run = run_of_stage(snowflake, "a.gz")
    tags = [
        json.loads(tag)
        for (tag,) in snowflake.query(
            "select query_tag from table(information_schema.query_history_by_user())"
            " where try_parse_json(query_tag):run_id::varchar = $run_id",
            run_id=run.run_id,
        )
    ]
    assert len(tags) > 8
    assert {tag["app"] for tag in tags} == {"veracitypro"}
    assert {tag["partition"] for tag in tags} == {str(DAY)}
    assert {tag["step"] for tag in tags} == {
        "raw__keepa_raw",
        "raw__keepa_raw_lines_loaded_or_quarantined",
        "raw__keepa_raw_lines_are_json",
    }


@pytest.mark.parametrize(
    "sql",
    [
        COUNTS_OF_DAY,
        REFUSALS.of_files,
        *(examples.sql for examples in REFUSALS.examples),
        REFUSALS.missing,
    ],
)
def test_the_queries_of_the_check_run_on_both_engines(sql: str) -> None:
    for dialect in ("snowflake", "duckdb"):
        (parsed,) = sqlglot.parse(positional(Statement(sql, {"files": ["a"]}))[0], dialect=dialect)
        assert parsed is not None
