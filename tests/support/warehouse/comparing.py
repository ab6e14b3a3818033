"""Two warehouses that must hold the same rows."""

from typing import Any

from tests.support.warehouse.building import Warehouse

# When a file came is no part of what it says.
_ABOUT_THE_LOAD = ("load_id", "loaded_at")


def tables(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that dbt makes, in a fixed order."""
    names = warehouse.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in ('STG', 'CORE', 'MART') order by 1"
    )
    assert {name.partition(".")[2] for (name,) in names} == {
        node.name
        for node in warehouse.project.manifest.nodes.values()
        if node.resource_type in ("model", "seed") and node.schema in ("STG", "CORE", "MART")
    }
    return {
        name: warehouse.query(
            f"select columns(lambda c: c not in {_ABOUT_THE_LOAD}) from {name} order by all"
        )
        for (name,) in names
    }


def assert_same(actual: dict[str, list[Any]], expected: dict[str, list[Any]]) -> None:
    for name, rows in expected.items():
        assert actual[name] == rows, name
