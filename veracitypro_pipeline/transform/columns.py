"""What is known of the columns of dbt models without asking a warehouse: types, and what each is
made of.

`dbt_project/columns.json` has both. After a change of models
`python -m veracitypro_pipeline.transform.columns` makes it anew, and a test holds the two together.
So neither a night nor the load of the graph pays for it: dagster-dbt's own way asks the warehouse
twice per model and parses its SQL in each run.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import dagster as dg

FILE: Final = "columns.json"
# The dialect of the target that the file is made on; lineage is the same on the other.
_DIALECT: Final = "duckdb"


class Column(NamedTuple):
    """The type on DuckDB, and the columns it is made of, as `<asset>.<column>`."""

    type: str
    of: list[str]


Columns = Mapping[str, Mapping[str, Column]]


def read(project: Path) -> Columns:
    """The columns of each model by name; empty if the project has no such file."""
    file = project / FILE
    if not file.exists():
        return {}
    return {
        model: {name: Column(*column) for name, column in columns.items()}
        for model, columns in json.loads(file.read_text(encoding="utf-8")).items()
    }


def lineage_of(columns: Mapping[str, Column]) -> dg.TableColumnLineage:
    """What the columns of one model are made of, as Dagster shows it."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for name, column in columns.items():
        deps[name] = []
        for source in column.of:
            asset, _, source_column = source.rpartition(".")
            key = dg.AssetKey.from_user_string(asset)
            deps[name].append(dg.TableColumnDep(asset_key=key, column_name=source_column))
    return dg.TableColumnLineage(deps_by_column=deps)


def derive(
    manifest: Mapping[str, Any],
    compiled: Path,
    types: Mapping[tuple[str, str], Mapping[str, str]],
    asset_of: Callable[[Mapping[str, Any]], str],
) -> Columns:
    """The same from models that were built: their SQL in dbt's folder `compiled`, and the types of
    the columns of each schema and table. Every parent's columns are taken from there as well."""
    from sqlglot import MappingSchema

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
            name: Column(types[node["schema"].lower(), node["name"]][name].lower(), sources)
            for name, sources in _sources(
                (compiled / node["package_name"] / node["original_file_path"]).read_text(),
                schema,
                assets,
            )
        }
        for node in sorted(models, key=lambda node: str(node["name"]))
    }


def _sources(
    sql: str, schema: Any, assets: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, list[str]]]:
    """Each column of a query, and the columns of other assets that its value is made of."""
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

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
    import duckdb

    types: dict[tuple[str, str], dict[str, str]] = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for in_schema, table, column, kind in connection.execute(
            "select table_schema, table_name, column_name, data_type"
            " from information_schema.columns"
        ).fetchall():
            types.setdefault((in_schema.lower(), table.lower()), {})[column.lower()] = kind
    return types


def _make() -> str:
    """Build all models on an empty RAW, and tell what their columns are."""
    import subprocess

    from veracitypro_pipeline.raw.duckdb import CREATE_TABLES
    from veracitypro_pipeline.resources import dbt_command
    from veracitypro_pipeline.resources.duckdb_warehouse import DuckDBWarehouse
    from veracitypro_pipeline.settings import Settings
    from veracitypro_pipeline.transform.translator import asset_name

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.load(environment="local", home=Path(folder), warehouse_file=None)
        with DuckDBWarehouse(settings.warehouse_path).transaction() as transaction:
            for statement in CREATE_TABLES:
                transaction.run(statement)
        target = Path(folder) / "target"
        command = dbt_command.arguments(
            *("--quiet", "build", "--exclude-resource-type", "test"),
            *("--exclude-resource-type", "unit_test"),
        )
        environment = dbt_command.environment(settings, target)
        subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
        manifest = json.loads((target / dbt_command.MANIFEST).read_text(encoding="utf-8"))
        return text_of(
            derive(manifest, target / "compiled", types_of(settings.warehouse_path), asset_name)
        )


if __name__ == "__main__":
    text = _make()
    from veracitypro_pipeline.settings import Settings

    (Settings.load().dbt_project_dir / FILE).write_text(text, encoding="utf-8")
