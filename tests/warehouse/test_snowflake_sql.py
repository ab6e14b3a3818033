"""The models compiled for Snowflake without an account, and parsed by sqlglot.

Parsing finds DuckDB's syntax in a model and a macro without a Snowflake variant. The tests on the
emulator show that the statements do the same.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import sqlglot
from agate import Table  # type: ignore[import-untyped]
from dbt.adapters.contracts.connection import AdapterResponse
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.snowflake.impl import SnowflakeAdapter
from dbt.adapters.snowflake.relation import SnowflakeRelation
from dbt.cli.main import dbtRunner

from tests.support.warehouse.building import environment
from tests.support.warehouse.snowflake_types import faults_of, known_tables
from veracitypro_pipeline.settings import REPOSITORY_DIR

# One worker compiles the project.
pytestmark = pytest.mark.xdist_group("snowflake sql")

# Syntax that only DuckDB has.
FOREIGN = (
    r"->>",
    r"(?<!-)->(?!>)",
    r"\bjson_type\b",
    r"\bunnest\b",
    r"//",
    r"\bregexp_full_match\b",
)

# Every function that models and engine macros call on Snowflake. Before a name is added: it is in
# Snowflake's reference of functions, and does the same as its namesake on DuckDB with null, with
# ties and with text of any kind (hash does not: digests never leave an engine).
FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        "abs array_agg array_contains array_generate_range array_size as_array cast ceil"
        " coalesce concat_ws contains count dateadd datediff extract first_value flatten floor"
        " greatest hash lag lead least listagg lpad max md5 min mod nullif object_construct"
        " parse_json power regexp_like row_number split_part startswith substr sum"
        " timestampadd to_char to_json trim try_to_number typeof",
    )
)
# What also stands before a bracket.
WORDS = frozenset(
    re.findall(
        r"\w+", "and as decimal else exists from group in join not on or over then when where"
    )
)


@contextmanager
def no_account(*, tables_exist: bool) -> Iterator[None]:
    """An adapter that sees an empty database, or one in which every model is a table.

    Queries during compilation return no rows.
    """

    def existing(_: Any, database: str, schema: str, identifier: str) -> Any:
        if not tables_exist:
            return None
        return SnowflakeRelation.create(database, schema, identifier, type=RelationType.Table)

    with (
        patch.object(SnowflakeAdapter, "list_relations_without_caching", lambda *_, **__: []),
        patch.object(SnowflakeAdapter, "list_schemas", lambda *_, **__: []),
        patch.object(SnowflakeAdapter, "get_relation", existing),
        patch.object(
            SnowflakeAdapter, "execute", lambda *_, **__: (AdapterResponse(""), Table([]))
        ),
    ):
        yield


def compiled_for_snowflake(target: Path, *, tables_exist: bool) -> dict[str, str]:
    """SQL of every model and data test, by name."""
    folder = str(REPOSITORY_DIR / "dbt_project")
    with environment(target / "unused.duckdb", target), no_account(tables_exist=tables_exist):
        result = dbtRunner().invoke(
            [
                *("compile", "--target", "dev", "--no-populate-cache"),
                *("--project-dir", folder, "--profiles-dir", folder),
            ]
        )
    assert result.success, result.exception
    outcomes: Any = result.result
    return {
        outcome.node.name: outcome.node.compiled_code
        for outcome in outcomes
        if outcome.node.compiled_code
    }


Compiled = dict[bool, dict[str, str]]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """The SQL of a first build (False), and of a build with existing tables (True)."""
    return {
        tables_exist: compiled_for_snowflake(
            tmp_path_factory.mktemp("compiled"), tables_exist=tables_exist
        )
        for tables_exist in (False, True)
    }


@pytest.mark.parametrize("tables_exist", [False, True], ids=["first build", "incremental build"])
def test_every_statement_is_snowflake_sql(compiled: Compiled, tables_exist: bool) -> None:
    statements = compiled[tables_exist]
    assert len(statements) > 70
    assert ("as built" in statements["stg_keepa_record"]) == tables_exist
    # A first build reads payloads from RAW; later builds do not if `stg_keepa_payload` is complete.
    assert ("keepa_raw" in statements["stg_keepa_series"].lower()) != tables_exist
    # In a build by hand in dev, as here, tables and build state are the user's own; RAW is not.
    memory = "VP_DWH.USER_MONITORING._CHANGES_OF_STG_KEEPA_POINT"
    assert (memory in statements["stg_keepa_point"]) == tables_exist
    assert "VP_DWH.USER_CORE.core_keepa_price_daily" in statements["fct_price_history_daily"]
    assert "VP_DWH.RAW.keepa_raw" in statements["stg_keepa_record"]
    for name, sql in statements.items():
        (parsed,) = sqlglot.parse(sql, dialect="snowflake")
        assert parsed is not None, name
        without_comments = re.sub(r"--[^\n]*", "", sql)
        found = [word for word in FOREIGN if re.search(word, without_comments)]
        assert not found, f"{name}: {found}"


def test_only_documented_functions_are_called(compiled: Compiled) -> None:
    called: dict[str, str] = {}
    for name, sql in [*compiled[False].items(), *compiled[True].items()]:
        code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", sql)
        called |= {word.lower(): name for word in re.findall(r"\b([a-zA-Z_]\w*)\s*\(", code)}
    unknown = {word: name for word, name in called.items() if word not in FUNCTIONS | WORDS}
    assert not unknown


def test_every_function_gets_arguments_of_its_types(compiled: Compiled) -> None:
    """JSON where it takes JSON, never a bare null; text only of types with one text on both."""
    tables = known_tables()
    statements = {sql: name for of_build in compiled.values() for name, sql in of_build.items()}
    faults = {name: faults_of(sql, tables) for sql, name in statements.items()}
    assert not {name: found for name, found in faults.items() if found}


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("select as_array(t.x) from (select null as x) as t", "is UNKNOWN"),
        ("with t as (select null as x), u as (select * from t) select typeof(x) from u", "UNKNOWN"),
        (
            "select f.value from KEEPA_RAW as r, lateral flatten(input => r.raw_line) as f",
            "TEXT",
        ),
        ("select array_size(asin) from STG_KEEPA_PRODUCT", "VARCHAR"),
        ("select cast(loaded_at as varchar) from KEEPA_RAW", "TIMESTAMP"),
        ("select max(as_of_date) || '' from KEEPA_RAW", "DATE"),
        ("select md5(price) from STG_KEEPA_PRICE", "DECIMAL"),
        ("select listagg(price_avg, ',') from CORE_KEEPA_PRICE_DAILY", "DECIMAL"),
        ("select typeof(x) from (select payload:a as x from KEEPA_RAW union all select null)", ""),
        (
            "select typeof(f.value) from KEEPA_RAW as r, lateral flatten(input => r.payload) as f",
            "",
        ),
        ("select as_array(cast(null as variant))", ""),
        ("select to_char(loaded_at, 'YYYY') || file_row_number || 'x' from KEEPA_RAW", ""),
    ],
)
def test_an_argument_of_a_wrong_type_is_found(sql: str, fault: str) -> None:
    found = " ".join(faults_of(sql, known_tables()))
    assert fault in found
    assert bool(found) == bool(fault), found


def test_a_payload_is_read_by_documented_paths(compiled: Compiled) -> None:
    """`payload:csv`, never `payload['csv']`, which the emulator reads as null."""
    for name, sql in compiled[False].items():
        assert "payload[" not in sql, name
