"""Patches of fakesnow 0.12.1, applied only in the emulator's process.

`test_emulator.py` has a test for each. Delete a patch when its test passes without it.
"""

import functools
import gzip
import itertools
import re
from collections.abc import Callable, Mapping
from string import Template
from typing import Any, Final

import fakesnow.arrow
import fakesnow.cursor
import fakesnow.macros
import fakesnow.transforms
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp
from starlette.requests import Request

from tests.support.emulator import account, copying, json_text, rights
from tests.support.emulator.transactions import Transaction

# Snowflake's number for a feature that is not supported.
UNSUPPORTED: Final = 2
# Of the sessions, in the order of their sign-in.
_NUMBERS: Final = itertools.count(1)

_COMMENTS: Final = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
_TEMPORARY: Final = re.compile(
    rf"^({_COMMENTS})create\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\s+table"
    r"\s+([\w.]+)",
    re.IGNORECASE | re.DOTALL,
)
_SETS: Final = re.compile(
    rf"^{_COMMENTS}alter\s+session\s+(set|unset)\s+(.*)$", re.IGNORECASE | re.DOTALL
)
_EXPLAIN: Final = re.compile(
    rf"^{_COMMENTS}explain\s+(?:using\s+\w+\s+)?(.*)$", re.IGNORECASE | re.DOTALL
)
_PARAMETER: Final = re.compile(r"(\w+)(?:\s*=\s*(?:'((?:[^']|'')*)'|(\w+)))?")
_HISTORY: Final = re.compile(
    r"\btable\s*\(\s*information_schema\.query_history_by_user\s*\("
    r"(?:[^()]|\([^()]*\)|\((?:[^()]|\([^()]*\))*\))*\)\s*\)",
    re.IGNORECASE,
)


def apply() -> None:
    """Patch fakesnow in this process."""
    patches: tuple[tuple[Any, str, Any], ...] = (
        (fakesnow.arrow, "timestamp_to_sf_struct", timestamps),
        (fakesnow.cursor, "copy_into", copying.copy_into),
        (fakesnow.macros, "FS_FLATTEN", Template(_FLATTEN)),
        (fakesnow.info_schema, "SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW", Template(_TABLES)),
        (fakesnow.macros, "creation_sql", creation_sql),
        (fakesnow.transforms, "flatten", flatten),
        (fakesnow.transforms, "numeric_agg_implicit_cast", exact_sums),
        (fakesnow.transforms, "regex_replace", replace_by_pattern),
        (fakesnow.transforms, "trim_cast_varchar", trim),
        (FakeSnowflakeCursor, "_transform", transform),
        (FakeSnowflakeCursor, "check_db_and_schema", check_names),
        (FakeSnowflakeCursor, "execute", execute),
    )
    for owner, name, ours in patches:
        setattr(owner, name, ours)
    # infra/snowflake creates databases and schemas; naming one must not create it.
    account.SERVER.shared_fs = FakeSnow(  # type: ignore[attr-defined]
        create_database_on_connect=False, create_schema_on_connect=False
    )
    account.SERVER.shared_fs.duck_conn.execute(account.CREATE_HISTORY)
    account.SERVER.shared_fs.duck_conn.create_function(
        "variant_text", json_text.variant_text, ["VARCHAR"], "VARCHAR"
    )


def unzipped(request: Request, body: bytes) -> bytes:
    return gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body


def sign_in(connection: Any, asked: dict[str, Any], where: Mapping[str, str]) -> None:
    """Store the parameters with which a session was opened."""
    connection.role = where.get("roleName", "PUBLIC").upper()
    connection.warehouse = where.get("warehouse", "").upper()
    connection.parameters = {
        name.upper(): str(value) for name, value in asked["SESSION_PARAMETERS"].items()
    }
    connection.user = asked["LOGIN_NAME"]
    connection.number = next(_NUMBERS)
    connection.temporary_tables = set()
    connection.transaction = Transaction(connection._duck_conn)


def end(connection: Any) -> None:
    """Roll back the open transaction, and drop temporary tables."""
    connection.transaction.end()
    for name in connection.temporary_tables:
        connection.cursor().execute(f"drop table if exists {name}")


_execute: Callable[..., Any] = FakeSnowflakeCursor.execute


def execute(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
    """Run a statement, in the transaction of its session if it came from a client."""
    if not kwargs.get("server", False):
        return carry_out(self, command, *args, **kwargs)
    set_parameters(self._conn, command)
    account.record(self._conn, command)

    def statement() -> Any:
        account.fail_if_told_to(command)
        return carry_out(self, command, *args, **kwargs)

    return self._conn.transaction.run(command, statement, lambda text: _execute(self, text))


def set_parameters(connection: Any, command: str) -> None:
    """Store the parameters that ALTER SESSION sets, as text."""
    altered = _SETS.match(command)
    for name, text, word in _PARAMETER.findall(altered.group(2)) if altered else ():
        if altered and altered.group(1).lower() == "set":
            connection.parameters[name.upper()] = text.replace("''", "'") or word
        else:
            connection.parameters.pop(name.upper(), None)


def carry_out(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
    """Run a statement, rewritten where fakesnow does not support it.

    An error of DuckDB becomes one of Snowflake's that the client does not retry.
    """
    try:
        answer = account.answer_to(self._conn, command)
        if answer is not None:
            return _execute(self, answer, server=kwargs.get("server", False))
        if explained := _EXPLAIN.match(command):
            # Check names, types and rights as far as DuckDB can without running the statement.
            self.check_db_and_schema(parse_one(explained.group(1)))
            if self._describe_only(explained.group(1)) is None:
                # fakesnow cannot describe it, so neither names nor types were checked: an answer
                # would claim that they were.
                raise NotImplementedError("explain of this statement")
            return _execute(self, "select 'GlobalStats:' as \"content\"", **kwargs)
        if temporary := _TEMPORARY.match(command):
            self._conn.temporary_tables.add(temporary.group(2))
            command = _TEMPORARY.sub(r"\1create or replace table \2", command)
        command = _HISTORY.sub("_FS_GLOBAL.MAIN.QUERY_HISTORY()", command)
        return _execute(self, command, *args, **kwargs)
    except ProgrammingError:
        raise
    except Exception as error:
        raise ProgrammingError(
            msg=f"The emulator cannot run this: {type(error).__name__}: {error}",
            errno=UNSUPPORTED,
            sqlstate="0A000",
        ) from error


_check_names: Callable[..., Any] = FakeSnowflakeCursor.check_db_and_schema


def check_names(self: Any, expression: exp.Expression) -> None:
    """Reject names without a schema, but for a stage, and statements that the role may not run."""
    if not isinstance(expression, exp.Copy):
        _check_names(self, expression)
    rights.check(self._conn, expression)


# Formats of TO_CHAR and their equivalents in DuckDB; the stock transform ignores the format.
_FORMAT: Final = {
    **{"YYYY": "%Y", "MM": "%m", "DD": "%d"},
    **{"HH24": "%H", "MI": "%M", "SS": "%S", "FF6": "%f"},
}
_transform: Callable[..., Any] = FakeSnowflakeCursor._transform


def transform(self: Any, expression: exp.Expression, params: Any) -> Any:
    """Types, comparisons and text of variants.

    The stock TYPEOF returns JSON for everything, ARRAY_CONTAINS takes no variants, text in a column
    of variants keeps its quotes when cast, and TRY_PARSE_JSON accepts an object with a duplicate
    key.
    """
    for parsing in list(expression.find_all(exp.ParseJSON)):
        parsing.replace(exp.Anonymous(this="_read_json", expressions=[parsing.this]))
    for cast in list(expression.find_all(exp.Cast)):
        if isinstance(cast.this, exp.Column | exp.JSONExtract) and cast.to.is_type(
            "varchar", "text"
        ):
            cast.replace(exp.Anonymous(this="_as_text", expressions=[cast.this]))
    for cast in list(expression.find_all(exp.Cast)):
        if isinstance(cast.this, exp.Cast | exp.Anonymous) and cast.to.is_type("variant"):
            # The stock cast parses a text as JSON.
            cast.replace(exp.Anonymous(this="to_json", expressions=[cast.this]))
    for call in list(expression.find_all(exp.Typeof)):
        call.replace(exp.Anonymous(this="_variant_type", expressions=[call.this]))
    for written in list(expression.find_all(exp.ToChar)):
        if written.args.get("format"):
            text = functools.reduce(
                lambda text, part: text.replace(*part), _FORMAT.items(), written.args["format"].name
            )
            written.replace(exp.func("strftime", written.this, exp.Literal.string(text)))
    for search in list(expression.find_all(exp.ArrayContains)):
        search.replace(
            exp.Anonymous(this="_variants_contain", expressions=[search.this, search.expression])
        )
    return _transform(self, expression, params)


# The stock macro numbers elements over all arrays of a query at once, which is wrong as soon as
# DuckDB works on more than one batch of them. It also fails for what is neither array nor object.
_FLATTEN: Final = """
CREATE OR REPLACE MACRO ${catalog}._fs_flatten(input, mode) AS TABLE
SELECT
    1::BIGINT AS SEQ,
    k AS KEY,
    coalesce(k, '[' || i || ']') AS PATH,
    CASE WHEN k IS NULL THEN i END AS INDEX,
    v AS VALUE,
    input::JSON AS THIS
FROM (
    SELECT unnest(vs) AS v, unnest(range(len(vs))) AS i, unnest(ks) AS k
    FROM (
        SELECT
            CASE
                WHEN json_type(${catalog}.main._json_alone(input, 'FLATTEN')) = 'OBJECT'
                    AND mode <> 'ARRAY'
                    THEN list_transform(
                        json_keys(input::JSON),
                        lambda x: json_extract(
                            input::JSON, '$$."' || replace(x, '"', '\\\\"') || '"'
                        )
                    )
                WHEN json_type(input::JSON) = 'ARRAY' AND mode <> 'OBJECT'
                    -- A cast to JSON[] would make a JSON null a null.
                    THEN json_extract(input::JSON, '$$[*]')
            END AS vs,
            CASE
                WHEN json_type(input::JSON) = 'OBJECT' AND mode <> 'ARRAY'
                    THEN json_keys(input::JSON)
            END AS ks
    )
)
"""


# INFORMATION_SCHEMA.TABLES; the stock one lacks views.
_TABLES: Final = fakesnow.info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW.template.replace(
    "'BASE TABLE' AS", "tables.kind AS"
).replace(
    "from duckdb_tables tables",
    """from (
        select database_name, schema_name, table_name, estimated_size, 'BASE TABLE' as kind
        from duckdb_tables
        union all
        select database_name, schema_name, view_name, null, 'VIEW' from duckdb_views
    ) as tables""",
)


# Functions that fakesnow lacks, as macros of DuckDB.
_FUNCTIONS: Final = """
CREATE OR REPLACE MACRO {catalog}.try_to_timestamp_tz(text) AS try_cast(text AS TIMESTAMPTZ);
-- Snowflake looks at the type when it compiles; this, when there is a row.
CREATE OR REPLACE MACRO {catalog}._json_alone(value, name) AS
    CASE
        WHEN typeof(value) = 'JSON' OR typeof(value) LIKE '%[]' OR typeof(value) LIKE 'STRUCT%'
            THEN value::JSON
        ELSE error('Invalid argument types for function ' || name || ': ' || typeof(value))
    END;
CREATE OR REPLACE MACRO {catalog}.as_array(value) AS
    CASE
        WHEN json_type({catalog}.main._json_alone(value, 'AS_ARRAY')) = 'ARRAY' THEN value::JSON
    END;
-- Snowflake looks at every object of the text; this one where landing lines have theirs.
CREATE OR REPLACE MACRO {catalog}._read_json(text) AS
    CASE
        WHEN list_bool_and(
            list_transform(
                json_keys(try_cast(variant_text(text) AS JSON), ['$', '$._airbyte_data']),
                lambda keys: len(keys) = len(list_distinct(keys))
            )
        ) THEN try_cast(variant_text(text) AS JSON)
    END;
CREATE OR REPLACE MACRO {catalog}._variants_contain(variants, value) AS
    list_contains(cast(variants AS JSON[]), to_json(value));
CREATE OR REPLACE MACRO {catalog}._as_text(value) AS
    CASE
        WHEN
            typeof(value) = 'JSON'
            AND json_type(to_json(value)) = 'DOUBLE'
            -- Not an integer of more than 64 bits.
            AND regexp_matches(json_extract_string(to_json(value), '$'), '[.eE]')
            THEN printf('%.15g', to_json(value)::DOUBLE)
        WHEN typeof(value) = 'JSON' THEN json_extract_string(to_json(value), '$')
        ELSE value::VARCHAR
    END;
CREATE OR REPLACE MACRO {catalog}._variant_type(value) AS
    CASE json_type({catalog}.main._json_alone(value, 'TYPEOF'))
        WHEN 'BIGINT' THEN 'INTEGER'
        WHEN 'UBIGINT' THEN 'INTEGER'
        WHEN 'NULL' THEN 'NULL_VALUE'
        ELSE json_type(value::JSON)
    END;
"""
_creation_sql: Callable[[str], str] = fakesnow.macros.creation_sql


def creation_sql(catalog: str) -> str:
    """The SQL to initialize a new database."""
    return _FUNCTIONS.format(catalog=catalog) + _creation_sql(catalog)


def trim(expression: exp.Expression) -> exp.Expression:
    """TRIM, LTRIM and RTRIM with their characters; the stock transform makes each TRIM(x)."""
    if isinstance(expression, exp.Trim) and not isinstance(expression.this, exp.Cast):
        expression.set("this", exp.cast(expression.this.copy(), "varchar"))
    return expression


def replace_by_pattern(expression: exp.Expression) -> exp.Expression:
    """REGEXP_REPLACE of every match; the stock transform unescapes the backslashes of the pattern a
    second time."""
    if isinstance(expression, exp.RegexpReplace):
        expression.set("modifiers", exp.Literal.string("g"))
    return expression


def exact_sums(expression: exp.Expression) -> exp.Expression:
    """A sum of integers is an integer; the stock transform adds floats."""
    return expression


def flatten(expression: exp.Expression) -> exp.Expression:
    """LATERAL FLATTEN with its mode, which the stock transform drops."""
    if not isinstance(expression, exp.Lateral | exp.TableFromRows) or not isinstance(
        expression.this, exp.Explode
    ):
        return expression
    arguments = {
        argument.this.name.upper(): argument.expression
        for argument in (expression.this.this, *expression.this.expressions)
        if isinstance(argument, exp.Kwarg)
    }
    unknown = set(arguments) - {"INPUT", "MODE"}
    if unknown:
        # No model uses path, outer or recursive; they must not be ignored silently.
        raise ValueError(
            f"FLATTEN has {', '.join(sorted(unknown))}: expected INPUT and MODE alone."
        )
    value = arguments.get("INPUT", expression.this.this)
    mode = arguments.get("MODE", exp.Literal.string("BOTH"))
    return exp.Table(
        this=exp.Anonymous(this="_fs_flatten", expressions=[value, mode]),
        alias=expression.args.get("alias"),
    )


_timestamps: Callable[..., Any] = fakesnow.arrow.timestamp_to_sf_struct


def timestamps(column: Any) -> Any:
    """A null instant is null, not 1970."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    filled = _timestamps(pc.fill_null(array, pa.scalar(0, array.type)))
    return pa.StructArray.from_arrays(
        [filled.field(place) for place in range(filled.type.num_fields)],
        fields=[filled.type.field(place) for place in range(filled.type.num_fields)],
        mask=array.is_null(),
    )
