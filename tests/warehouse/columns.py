"""The lineage of columns, derived from the models' SQL, for `dbt_project/columns.json`.

`python -m tests.warehouse.columns` builds all models on an empty RAW and rewrites the file.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
from dagster_dbt import DagsterDbtTranslator
from sqlglot import MappingSchema, exp, parse_one
from sqlglot.lineage import lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from tests.support.warehouse.building import Project, Warehouse, parse_project
from veracitypro_pipeline.settings import REPOSITORY_DIR
from veracitypro_pipeline.transform.columns import FILE, Column, Columns

PROJECT: Final = REPOSITORY_DIR / "dbt_project"
# The dialect of the target that is built; lineage is the same on the other.
_DIALECT: Final = "duckdb"


def derive(
    manifest: Mapping[str, Any],
    compiled: Path,
    types: Mapping[tuple[str, str], Mapping[str, str]],
    asset_of: Callable[[Mapping[str, Any]], str],
) -> Columns:
    """The columns of models that were built: their SQL in dbt's folder `compiled`, and the types of
    the columns of each schema and table. Every parent's columns are taken from there as well."""
    nodes = {**manifest["sources"], **manifest["nodes"]}
    assets = {
        (node["schema"].lower(), (node.get("alias") or node["name"]).lower()): asset_of(node)
        for node in nodes.values()
        if node["resource_type"] in ("model", "seed", "source")
    }
    schema = MappingSchema(dialect=_DIALECT)
    for (in_schema, table), columns in types.items():
        schema.add_table(f"{in_schema}.{table}", dict(columns))
    models = [node for node in nodes.values() if node["resource_type"] == "model"]
    return {
        node["name"]: {
            name: Column(types[node["schema"].lower(), node["alias"]][name].lower(), sources)
            for name, sources in _sources(
                (compiled / node["package_name"] / node["original_file_path"]).read_text(),
                schema,
                assets,
            )
        }
        for node in sorted(models, key=lambda node: str(node["name"]))
    }


def asset_name(node: Mapping[str, Any]) -> str:
    """The asset of a node as one text, e.g. `core/core_keepa_price_daily`."""
    return DagsterDbtTranslator().get_asset_key(node).to_user_string()


def _sources(
    sql: str, schema: Any, assets: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, list[str]]]:
    """Each column of a query, and the columns of other assets that its value is made of."""
    query = parse_one(sql, dialect=_DIALECT)
    for table in query.find_all(exp.Table):
        table.set("catalog", None)
    qualified: Any = qualify(query, schema=schema, dialect=_DIALECT, validate_qualify_columns=False)
    scope = build_scope(qualified)
    for column in qualified.named_selects:
        tree = lineage(
            column, qualified, schema, scope=scope, dialect=_DIALECT, trim_selects=False, copy=False
        )
        sources = set()
        for leaf in tree.walk():
            read = None if leaf.downstream else leaf.expression.find(exp.Table)
            asset = assets.get((read.db.lower(), read.name.lower())) if read else None
            if asset is not None:
                sources.add(f"{asset}.{exp.to_column(leaf.name).name.lower()}")
        yield column.lower(), sorted(sources)


def text_of(columns: Columns) -> str:
    """The text of the file: a line for each column, so that a change can be reviewed."""
    models = (
        f" {json.dumps(model)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(of)}" for name, of in sorted(its.items()))
        + "\n }"
        for model, its in sorted(columns.items())
    )
    return "{\n" + ",\n".join(models) + "\n}\n"


def types_of(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The type of each column of a DuckDB file, by schema and table."""
    types: dict[tuple[str, str], dict[str, str]] = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for in_schema, table, column, kind in connection.execute(
            "select table_schema, table_name, column_name, data_type"
            " from information_schema.columns"
        ).fetchall():
            types.setdefault((in_schema.lower(), table.lower()), {})[column.lower()] = kind
    return types


def text_of_project(project: Project, warehouse: Warehouse, compiled: Path) -> str:
    """The text of the file for a project that was built in this warehouse."""
    manifest = project.manifest.writable_manifest().to_dict()
    return text_of(derive(manifest, compiled, types_of(warehouse.path), asset_name))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        parsed = parse_project(PROJECT, Path(folder) / "target")
        empty = Warehouse(parsed, Path(folder) / "warehouse")
        empty.run()
        text = text_of_project(parsed, empty, parsed.target / "compiled")
    (PROJECT / FILE).write_text(text)
