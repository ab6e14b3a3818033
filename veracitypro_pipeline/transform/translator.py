"""How a dbt node looks in the lineage graph: its key, group, owners and kinds, its columns and what
they are made of, and what it means if a test of it is red."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from veracitypro_pipeline.code_links import CodeLinks
from veracitypro_pipeline.lineage import OWNERS, STG, model_key
from veracitypro_pipeline.links import linked
from veracitypro_pipeline.transform.columns import Column, Columns, lineage_of

# Of the columns that a column is made of.
SHOWN_SOURCES: Final = 4
# How each model's description says what breaks for a reader.
_IF_WRONG: Final = re.compile(r"If this (?:table|view) is wrong, [^.]+\.")
# What a dbt test guards, by its kind; the rest of the sentence comes from its arguments.
_GUARDS: Final = {
    "primary_key": "No two rows have the same {columns}, and none of these is null.",
    "not_null_columns": "Never null: {columns}.",
    "accepted_range": "Each {columns} lies between {min_value} and {max_value}.",
    "accepted_values": "Each {column_name} is one of {values}.",
    "expression_is_true": "In every row: {expression}.",
    "foreign_key": "Each {columns} stands in {to}.",
    "relationships": "Each {column_name} stands in {to}.",
    "unique": "No two rows have the same {column_name}.",
    "not_null": "Never null: {column_name}.",
}


class StageTranslator(DagsterDbtTranslator):
    """Key and group are dagster-dbt's own: `<schema>/<model>`, and `meta.dagster.group`, which
    dbt_project.yml states by folder.

    `runbook_of` names the runbook of a test.
    """

    def __init__(
        self,
        columns: Columns,
        runbook_of: Callable[[str], str],
        code: CodeLinks,
        runbook_address: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        # Tests are checks; those of a source (RAW) and of several models belong to one of them.
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        self._columns, self._runbook_of, self._code = columns, runbook_of, code
        self._runbook_address = runbook_address

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        beside = self._read_beside(self.get_resource_props(manifest, unique_id))
        return spec.replace_attributes(
            deps=[dep for dep in spec.deps if dep.asset_key.path[-1] not in beside]
        )

    def _read_beside(self, dbt_resource_props: Mapping[str, Any]) -> set[str]:
        """Tables that dbt knows as parents for the order of the build, or because they tell what
        has changed. They are no lineage unless a column is made of them.

        `meta` of dbt_project.yml names them; a test holds the rest against the columns.
        """
        meta = (dbt_resource_props.get("config") or {}).get("meta") or {}
        declared = {*meta.get("gates", ()), *meta.get("read_beside", ())}
        columns = self._columns.get(dbt_resource_props["name"], {})
        return declared.difference(*(column.tables for column in columns.values()))

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        test = manifest["nodes"][unique_id]
        description = described(
            test, str(asset_spec.description or ""), self._runbook_of(test["name"])
        )
        return spec._replace(description=linked(description, self._runbook_address))

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """With a link to its file, its gates, the type of each column and what it is made of.

        Dagster+ draws column lineage; the open-source UI does not, so it stands in words, too.
        """
        link = {
            **self._code.to(f"dbt_project/{dbt_resource_props['original_file_path']}"),
            **_gates(dbt_resource_props),
        }
        known = self._columns.get(dbt_resource_props["name"])
        if known is None or dbt_resource_props["resource_type"] != "model":
            return {**super().get_metadata(dbt_resource_props), **link}
        columns = {
            name: {
                **column,
                "data_type": column.get("data_type") or known[name].type,
                "description": f"{column['description']}{_made_of(known[name])}",
            }
            if name in known
            else column
            for name, column in dbt_resource_props["columns"].items()
        }
        return {
            **super().get_metadata({**dbt_resource_props, "columns": columns}),
            **link,
            "dagster/column_lineage": lineage_of(known),
        }

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's own; dagster-dbt adds its SQL, which is a link away."""
        return str(dbt_resource_props["description"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return [*OWNERS, *(super().get_owners(dbt_resource_props) or [])]


def _gates(dbt_resource_props: Mapping[str, Any]) -> dict[str, Any]:
    """The tables whose tests must pass before this one is built, as links."""
    meta = (dbt_resource_props.get("config") or {}).get("meta") or {}
    nodes = (dbt_resource_props.get("depends_on") or {}).get("nodes", ())
    parents = {node.split(".")[-1] for node in nodes}
    return {
        f"waits for the tests of {gate}": dg.MetadataValue.asset(model_key(STG, gate))
        for gate in meta.get("gates", ())
        if gate in parents
    }


def described(test: Mapping[str, Any], model_description: str, runbook: str) -> str:
    """What a dbt test guards, what a reader sees if it is red, and what to do first."""
    of_kind = test.get("test_metadata") or {}
    if of_kind:
        arguments = {name: _words(value) for name, value in (of_kind.get("kwargs") or {}).items()}
        guarded = _GUARDS[of_kind["name"]].format_map(_Said(arguments))
    else:
        # One in a file of its own says it in its first comment.
        lines = str(test["raw_code"]).splitlines()
        comment = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        guarded = " ".join(comment)
    paragraphs = [guarded]
    if "If red:" not in guarded:
        meaning = _IF_WRONG.search(" ".join(model_description.split()))
        paragraphs.append(
            "If red: what reads this table is not built, and Power BI is not refreshed."
            + (f" {meaning.group(0)}" if meaning else "")
        )
    return "\n\n".join([*paragraphs, f"Runbook: infra/runbooks/{runbook}.md"])


def _made_of(column: Column) -> str:
    if not column.of:
        return ""
    more = len(column.of) - SHOWN_SOURCES
    shown = ", ".join(f"`{source}`" for source in column.of[:SHOWN_SOURCES])
    return f"\n\nMade of {shown}{f' and {more} more' if more > 0 else ''}."


class _Said(dict[str, str]):
    """Arguments of a test; what it leaves open has no limit."""

    def __missing__(self, key: str) -> str:
        return "any"


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
