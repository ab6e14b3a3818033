"""Types and lineage of the columns of dbt models, from `dbt_project/columns.json`.

`python -m tests.warehouse.columns` writes the file after a change of models, and a test compares
it with them. dagster-dbt would instead query the warehouse twice per model and parse its SQL in
each run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import dagster as dg

FILE: Final = "columns.json"


class Column(NamedTuple):
    """The type on DuckDB, and the columns it is computed from, as `<asset>.<column>`."""

    type: str
    of: list[str]

    @property
    def tables(self) -> set[str]:
        """The names of the models, seeds and sources in `of`."""
        return {source.rpartition(".")[0].rpartition("/")[2] for source in self.of}


Columns = Mapping[str, Mapping[str, Column]]


def read(project: Path) -> Columns:
    """The columns of each model, by its name; empty if the project has no such file."""
    file = project / FILE
    if not file.exists():
        return {}
    return {
        model: {name: Column(*column) for name, column in columns.items()}
        for model, columns in json.loads(file.read_text(encoding="utf-8")).items()
    }


def lineage_of(columns: Mapping[str, Column]) -> dg.TableColumnLineage:
    """The column lineage of one model, for Dagster."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for name, column in columns.items():
        deps[name] = []
        for source in column.of:
            asset, _, source_column = source.rpartition(".")
            key = dg.AssetKey.from_user_string(asset)
            deps[name].append(dg.TableColumnDep(asset_key=key, column_name=source_column))
    return dg.TableColumnLineage(deps_by_column=deps)
