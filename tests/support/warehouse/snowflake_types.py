"""What is wrong with the types in a query for Snowflake, as far as sqlglot can tell them.

Snowflake looks at them when it compiles a statement; the emulator runs on DuckDB, which has others.
"""

from collections.abc import Iterator
from typing import Any, Final

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from veracitypro_pipeline.raw.on_duckdb import create_tables
from veracitypro_pipeline.settings import REPOSITORY_DIR
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.transform.columns import read

Schema = dict[str, object]

_PROJECT: Final = REPOSITORY_DIR / "dbt_project"
# A table with the columns that LATERAL FLATTEN gives.
_FLATTENED: Final = "_FLATTENED"
_JSON: Final = frozenset(
    {exp.DType.VARIANT, exp.DType.JSON, exp.DType.ARRAY, exp.DType.OBJECT, exp.DType.STRUCT}
)
# What is written the same on both engines, however an account or a session is set.
_WITH_ONE_TEXT: Final = frozenset(
    {*exp.DataType.TEXT_TYPES, *exp.DataType.INTEGER_TYPES, exp.DType.VARIANT, exp.DType.BOOLEAN}
)
# Functions that sqlglot does not know, or not what they give.
_GIVEN_BY_NAME: Final = {"AS_ARRAY": exp.DType.ARRAY, "HASH": exp.DType.BIGINT}
_GIVEN: Final[dict[Any, Any]] = {
    **Snowflake.EXPRESSION_METADATA,
    exp.Anonymous: {
        "annotator": lambda annotator, call: annotator._set_type(
            call, _GIVEN_BY_NAME.get(call.name.upper(), exp.DType.UNKNOWN)
        )
    },
    exp.GenerateSeries: {"returns": exp.DType.ARRAY},
    exp.JSONExtract: {"returns": exp.DType.VARIANT},
    exp.JSONFormat: {"returns": exp.DType.VARCHAR},
    exp.Struct: {"returns": exp.DType.OBJECT},
    exp.ToChar: {"returns": exp.DType.VARCHAR},
}


def known_tables() -> Schema:
    """Column types of RAW, the seeds and the models, by table."""
    (raw,) = (
        table
        for statement in create_tables(PRODUCT_RAW)
        if "RAW.KEEPA_RAW" in statement.sql
        for table in [sqlglot.parse_one(statement.sql, dialect="duckdb")]
    )
    seeds = yaml.safe_load((_PROJECT / "seeds" / "_seeds.yml").read_text())["seeds"]
    tables = {
        "keepa_raw": {
            column.name: column.args["kind"].sql(dialect="duckdb")
            for column in raw.find_all(exp.ColumnDef)
        },
        **{seed["name"]: seed["config"]["column_types"] for seed in seeds},
        **{
            model: {name: column.type for name, column in columns.items()}
            for model, columns in read(_PROJECT).items()
        },
        # Text on DuckDB alone.
        "_stg_keepa_payload": {"fetch_id": "varchar", "attributes": "json", "histories": "json"},
        _FLATTENED: {"key": "varchar", "index": "bigint", "value": "json"},
    }
    return {
        table.upper(): {
            name.upper(): "variant" if of_type.lower() == "json" else of_type
            for name, of_type in columns.items()
        }
        for table, columns in tables.items()
    }


def faults_of(sql: str, tables: Schema) -> list[str]:
    """What a query asks of values that are of another type or of none, e.g. of a bare null.

    A function of JSON takes JSON; what becomes text has one text.
    """
    return list(_faults(_typed(sql, tables)))


def _typed(sql: str, tables: Schema) -> exp.Expr:
    query = sqlglot.parse_one(sql, dialect="snowflake")
    for flatten in list(query.find_all(exp.Lateral)):
        _read_as_table(flatten)
    for table in query.find_all(exp.Table):
        table.set("catalog", None)
        table.set("db", None)
    of_snowflake: Any = {"schema": tables, "dialect": "snowflake"}
    qualified: exp.Expr = qualify(query, **of_snowflake, validate_qualify_columns=False)
    return annotate_types(qualified, **of_snowflake, expression_metadata=_GIVEN)


def _read_as_table(flatten: exp.Lateral) -> None:
    """A table in place of LATERAL FLATTEN; its input, for its type to be seen, in the select."""
    arguments: Any = flatten.this
    (value,) = (
        argument.expression
        for argument in (arguments.this, *arguments.expressions)
        if argument.this.name.upper() == "INPUT"
    )
    select: Any = flatten.find_ancestor(exp.Select)
    call = exp.Anonymous(this="FLATTEN", expressions=[value.copy()])
    select.append("expressions", exp.alias_(call, f"_{id(flatten)}"))
    flatten.replace(exp.alias_(exp.table_(_FLATTENED), flatten.alias, table=True))


def _faults(query: exp.Expr) -> Iterator[str]:
    for call in query.find_all(exp.Expr):
        takes, arguments = _arguments_of(call)
        for argument in arguments:
            of_type: Any = argument.type or exp.DataType.build("unknown")
            is_whole = of_type.is_type(exp.DType.DECIMAL) and of_type.sql().endswith(", 0)")
            if of_type.this not in takes and not (is_whole and takes is _WITH_ONE_TEXT):
                yield f"{call.sql('snowflake')}: {argument.sql('snowflake')} is {of_type.sql()}"


def _arguments_of(call: exp.Expr) -> tuple[frozenset[exp.DType], list[Any]]:
    """Types that a call takes, and its arguments that must be of one."""
    match call:
        case exp.Typeof() | exp.ArraySize() | exp.JSONExtract() | exp.JSONFormat():
            return _JSON, [call.this]
        case exp.ArrayContains():
            return _JSON, [call.this, call.expression]
        case exp.Anonymous() if call.name.upper() in ("AS_ARRAY", "FLATTEN"):
            return _JSON, call.expressions
        case exp.Cast() if call.to.is_type(*exp.DataType.TEXT_TYPES):
            is_null = isinstance(call.this, exp.Null)
            return _WITH_ONE_TEXT, [] if is_null else [call.this]
        case exp.DPipe():
            return _WITH_ONE_TEXT, [call.this, call.expression]
        case exp.Concat() | exp.ConcatWs():
            return _WITH_ONE_TEXT, call.expressions
        case exp.GroupConcat():
            return _WITH_ONE_TEXT, [
                call.this.this if isinstance(call.this, exp.Order) else call.this
            ]
        case exp.MD5():
            return _WITH_ONE_TEXT, [call.this]
    return frozenset(), []
