"""`show` and `describe` on DuckDB, answered as Snowflake does: for all schemas, with their names.

DuckDB's own commands list only the schema `main`, which is empty here.
"""

import re
from typing import Final

_COLUMNS: Final = """
select schema_name, table_name, column_name, data_type, comment
from duckdb_columns()
where not internal{conditions}
order by schema_name, table_name, column_index
"""
_RELATIONS: Final = """
select schema_name, name, kind
from (
    select schema_name, table_name as name, 'table' as kind from duckdb_tables() where not internal
    union all
    select schema_name, view_name, 'view' from duckdb_views() where not internal
)
where kind in ({kinds}){conditions}
order by schema_name, name
"""
_SCHEMAS: Final = """
select schema_name as name
from duckdb_schemas()
where not internal{conditions}
order by name
"""
_KINDS: Final = {"tables": "'table'", "views": "'view'", "objects": "'table', 'view'"}
_SHOW: Final = re.compile(
    r"""
    show \s+ (?:terse\s+)? (?:all\s+)? (?P<what>tables|views|objects|schemas|columns)
    (?: \s+ like \s+ '(?P<like>(?:[^']|'')*)' )?
    (?:
        \s+ (?:in|from) \s+
        (?: account | database \s+ \w+ | (?:(?:schema|table|view)\s+)? (?P<place>[\w.]+) )
    )?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LIST_ALL: Final = re.compile(r"show|desc|describe", re.IGNORECASE)


def as_query_of_catalogue(sql: str) -> str:
    """The query of DuckDB's catalogue for a `show`; returns any other statement unchanged."""
    statement = sql.strip().rstrip(";").strip()
    if _LIST_ALL.fullmatch(statement):
        statement = "show objects"
    found = _SHOW.fullmatch(statement)
    if found is None:
        return sql
    what, like, place = found["what"].lower(), found["like"], found["place"] or ""
    # A database name before the schema is ignored: a file is one database.
    schema, name = ["", *place.split(".")][-2:]
    conditions = f" and {_name_of(what)} ilike '{like}'" if like is not None else ""
    if what == "columns":
        conditions += _equals("schema_name", schema) + _equals("table_name", name)
        return _COLUMNS.format(conditions=conditions)
    if what == "schemas":
        return _SCHEMAS.format(conditions=conditions)
    conditions += _equals("schema_name", name)
    # Most marts are views. `show tables` lists them too, because readers call them tables.
    kinds = _KINDS["objects" if what == "tables" else what]
    return _RELATIONS.format(kinds=kinds, conditions=conditions)


def _name_of(what: str) -> str:
    return {"columns": "column_name", "schemas": "schema_name"}.get(what, "name")


def _equals(column: str, value: str) -> str:
    """A condition, or nothing without a value. `_SHOW` allows only `\\w` in values."""
    return f" and lower({column}) = lower('{value}')" if value else ""
