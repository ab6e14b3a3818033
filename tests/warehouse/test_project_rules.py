"""Rules of the dbt project, tested on its manifest without a warehouse."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.warehouse.building import Project, Warehouse
from tests.warehouse.columns import text_of_project
from veracitypro_pipeline.lineage import DBT_STAGES, raw_key
from veracitypro_pipeline.settings import REPOSITORY_DIR
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS, MARKETPLACES
from veracitypro_pipeline.transform import columns

SEEDS = REPOSITORY_DIR / "dbt_project" / "seeds"
# The state of builds depends on the order of loads; STG must not.
NOTES = {"stg_keepa_payload"}
# Which layers the models of a layer may read.
MAY_READ = {
    "stg": {"source", "seed", "stg"},
    "core": {"seed", "stg", "core"},
    "mart": {"seed", "core"},
}


def nodes(project: Project, kind: str) -> dict[str, Any]:
    return {
        unique_id: node
        for unique_id, node in project.manifest.nodes.items()
        if node.resource_type == kind
    }


def layer_of(node: Any) -> str:
    return str(node.fqn[1])


def is_singular(test: Any) -> bool:
    """A singular test."""
    return not hasattr(test, "test_metadata")


def test_every_model_lies_in_a_layer_and_carries_its_name(project: Project) -> None:
    models = nodes(project, "model")
    assert len(models) >= 18
    for model in models.values():
        layer = layer_of(model)
        assert layer in DBT_STAGES
        assert model.schema == ("MONITORING" if model.name in NOTES else layer.upper())
        starts = ("dim_", "fct_") if layer == "mart" else (f"{layer}_keepa_",)
        assert model.name.startswith(starts), model.name


def test_a_model_reads_only_the_layers_before_it_and_only_stg_reads_sources(
    project: Project,
) -> None:
    for model in nodes(project, "model").values():
        for parent in model.depends_on.nodes:
            kind = parent.split(".")[0]
            read = layer_of(project.manifest.nodes[parent]) if kind == "model" else kind
            assert read in MAY_READ[layer_of(model)], f"{model.name} reads {parent}"


def test_every_model_states_its_grain_and_tests_its_key(project: Project) -> None:
    keyed = {
        test.attached_node
        for test in nodes(project, "test").values()
        if not is_singular(test) and test.test_metadata.name == "primary_key"
    }
    for unique_id, model in {**nodes(project, "model"), **nodes(project, "seed")}.items():
        assert "**Grain**" in model.description, model.name
        assert unique_id in keyed, f"{model.name} has no test of its key"


def test_yml_and_tables_have_the_same_columns(project: Project, built: Warehouse) -> None:
    """In both directions, and every column has a description."""
    for node in (*nodes(project, "model").values(), *nodes(project, "seed").values()):
        rows = built.query(
            "select column_name from information_schema.columns"
            f" where table_schema = '{node.schema}' and table_name = '{node.alias}'"
        )
        assert sorted(node.columns) == sorted(name for (name,) in rows), node.name
        for column in node.columns.values():
            assert len(column.description) > 10, f"{node.name}.{column.name} is not described"


def test_descriptions_are_comments_in_the_warehouse(project: Project, built: Warehouse) -> None:
    of_columns = {
        (schema, table, column): comment
        for schema, table, column, comment in built.query(
            "select schema_name, table_name, column_name, comment from duckdb_columns()"
        )
    }
    of_tables = {
        (schema, table): comment
        for schema, table, comment in built.query(
            "select schema_name, table_name, comment from duckdb_tables() union all"
            " select schema_name, view_name, comment from duckdb_views()"
        )
    }
    for node in (*nodes(project, "model").values(), *nodes(project, "seed").values()):
        assert of_tables[node.schema, node.alias] == node.description, node.name
        for column in node.columns.values():
            assert of_columns[node.schema, node.alias, column.name] == column.description


@pytest.fixture(scope="module")
def built(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The whole project on an empty RAW, as on the first day, with all data tests."""
    warehouse = Warehouse(project, tmp_path_factory.mktemp("empty") / "all")
    warehouse.build()
    # Read it now: the next build of any test overwrites the compiled SQL.
    shutil.copytree(project.target / "compiled", warehouse.folder / "compiled")
    return warehouse


def test_the_stored_column_lineage_is_current(project: Project, built: Warehouse) -> None:
    """If red: run `python -m tests.warehouse.columns` and review the difference."""
    text = text_of_project(project, built, built.folder / "compiled")
    assert text == (project.folder / columns.FILE).read_text()


def test_a_price_is_traced_back_to_the_payload() -> None:
    """From the report through every layer, by asset and column."""
    known = columns.read(REPOSITORY_DIR / "dbt_project")
    reached, ahead = set(), {"mart/fct_price_history_daily.landed_close"}
    while ahead:
        reached |= ahead
        steps = (source.rpartition("/")[2].split(".") for source in ahead)
        ahead = {
            source
            for model, column in steps
            if model in known
            for source in known[model][column].of
        } - reached
    assert "core/core_keepa_price_daily.landed_close" in reached
    assert "stg/stg_keepa_point.value" in reached
    assert "raw/keepa_raw.payload" in reached


def test_an_empty_raw_builds_with_every_tracked_product_in_the_dimension(built: Warehouse) -> None:
    (row,) = built.query(
        "select count(*), count(title), count(*) filter (where role = 'own'),"
        " count(distinct domain_id) from MART.dim_product"
    )
    tracked = read_seed("tracked_products")
    own = sum(row["role"] == "own" for row in tracked)
    assert row == (len(tracked), 0, own, len({row["domain_id"] for row in tracked}))


def test_unit_tests_pass(project: Project, built: Warehouse) -> None:
    """All in one invocation; a nightly build skips them."""
    assert len(project.manifest.unit_tests) > 25
    assert built.failed_unit_tests() == {}


def test_marts_have_contracts_and_are_all_exposed(project: Project) -> None:
    marts = {key for key, model in nodes(project, "model").items() if layer_of(model) == "mart"}
    assert all(project.manifest.nodes[key].config.contract.enforced for key in marts)
    exposed = {
        key for exposure in project.manifest.exposures.values() for key in exposure.depends_on.nodes
    }
    assert exposed == marts


def test_tests_are_errors_and_singular_ones_belong_to_a_model(project: Project) -> None:
    models = {model.name for model in nodes(project, "model").values()}
    for test in nodes(project, "test").values():
        # Correct figures of fewer products are better than none.
        severity = "warn" if test.name == "tracked_products_are_fetched" else "error"
        assert test.config.severity.lower() == severity, test.name
        if is_singular(test):
            assert test.config.meta["dagster"]["ref"]["name"] in models, test.name


def test_a_red_check_across_stg_stops_the_build_before_core(project: Project) -> None:
    """dbt runs a test before a model only if the model depends on everything the test reads."""

    def ancestors(unique_id: str) -> set[str]:
        parents = project.manifest.parent_map[unique_id]
        return {*parents, *(older for parent in parents for older in ancestors(parent))}

    project.manifest.build_parent_and_child_maps()
    singular = [
        test
        for test in nodes(project, "test").values()
        if is_singular(test) and test.config.severity.lower() == "error"
    ]
    assert len(singular) >= 3
    for unique_id, model in nodes(project, "model").items():
        if layer_of(model) == "core" and model.name.endswith("_daily"):
            for test in singular:
                assert set(test.depends_on.nodes) <= ancestors(unique_id), (model.name, test.name)


WRONG_SEGMENTS = {
    '{"segment": "day"}': '`meta.segment` is "day", expected one of key, entity, series, days.',
    '{"segment": "series", "entity": ["asin"]}': (
        "`meta.input` is missing: segment `series` needs a relation."
    ),
    '{"segment": "key", "built_from": "fetch_id", "input": "a"}': (
        '`meta.built_from` is "fetch_id", expected a list.'
    ),
    '{"segment": "key", "built_from": ["a"], "input": "a", "has_empty_keys": 1}': (
        "`meta.has_empty_keys` is 1, expected a boolean."
    ),
    '{"segment": "series", "entity": ["a"], "input": "a", "minutes": "minute"}': (
        "`meta.minutes` is not an argument of segment `series`."
    ),
    '{"segment": "entity", "entity": ["a"], "input": ["a", "b"], "version": "c", "gates": []}': "",
}


def test_a_wrong_argument_of_a_kept_table_is_named(built: Warehouse) -> None:
    faults = "|".join(f"{{{{ segment_fault({meta}) }}}}" for meta in WRONG_SEGMENTS)
    assert built.rendered(faults).split("|") == list(WRONG_SEGMENTS.values())


def test_the_source_is_the_asset_of_the_raw_stage(project: Project) -> None:
    (source,) = project.manifest.sources.values()
    assert source.config.meta["dagster"]["asset_key"] == raw_key(PRODUCT_RAW).path
    assert source.schema == "RAW"


def read_seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_channels_are_those_of_the_vocabulary() -> None:
    in_seed = [tuple(row.values()) for row in read_seed("keepa_channels")]
    in_code = [(str(c.index), c.name, c.kind.value, str(c.stride)) for c in CHANNELS]
    assert in_seed == in_code


def test_marketplaces_are_those_of_the_vocabulary() -> None:
    in_seed = [tuple(row.values()) for row in read_seed("keepa_marketplaces")]
    in_code = [
        (str(m.domain_id), m.code, m.currency, str(m.exponent)) for m in MARKETPLACES.values()
    ]
    assert in_seed == in_code


def test_tracked_products_are_well_formed_and_of_both_roles() -> None:
    rows = read_seed("tracked_products")
    assert {row["role"] for row in rows} == {"own", "competitor"}
    assert {int(row["domain_id"]) for row in rows} >= {1, 5}
    for row in rows:
        assert len(row["asin"]) == 10
        assert row["asin"].isalnum()
        assert row["asin"].isupper()
        assert row["product_line"]


def test_engine_differences_live_in_one_folder() -> None:
    """`target.type` and adapter-specific macros occur nowhere else."""
    folder = REPOSITORY_DIR / "dbt_project"
    for file in [*folder.rglob("*.sql")]:
        text = Path(file).read_text()
        if file.parent.name != "engine":
            assert "target.type" not in text, file.name
            assert "duckdb__" not in text, file.name
            assert "snowflake__" not in text, file.name
