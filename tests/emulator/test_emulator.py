"""Each patch of the emulator does what Snowflake documents, tested by Snowflake's connector."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from snowflake.connector.errors import Error, ProgrammingError

from tests.support.emulator.running import Emulator, start_emulator
from veracitypro_pipeline.resources.warehouse import on_snowflake
from veracitypro_pipeline.resources.warehouse.on_snowflake import (
    SnowflakeTransaction,
    SnowflakeWarehouse,
)
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseRejectedError,
    WarehouseUnavailableError,
)
from veracitypro_pipeline.statement import Statement

pytestmark = pytest.mark.xdist_group("snowflake")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def account(emulator: Emulator) -> SnowflakeWarehouse:
    warehouse = SnowflakeWarehouse.of(
        emulator.settings(), {"app": "test", "run_id": "conformance"}, role="ACCOUNTADMIN"
    )
    with warehouse.session() as session:
        session.run(Statement("create warehouse if not exists WH_INGEST"))
        session.run(Statement("create database if not exists VP_DWH"))
        session.run(Statement("create schema if not exists VP_DWH.RAW"))
    return warehouse


def one(account: SnowflakeWarehouse, expression: str) -> Any:
    ((value,),) = account.query(f"select {expression}").rows
    return value


def test_an_unsupported_statement_is_an_error_at_once(account: SnowflakeWarehouse) -> None:
    """Stock: HTTP 500, which the connector retries for half a minute."""
    started = time.monotonic()
    with pytest.raises(WarehouseRejectedError, match="The emulator cannot"):
        account.query("select object_keys(parse_json('{}'))")
    assert time.monotonic() - started < 5


def test_a_statement_runs_to_its_end_and_can_be_cancelled(
    emulator: Emulator, account: SnowflakeWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stock: one HTTP response per statement, which cannot be cancelled."""
    for name in ("LOGIN", "SOCKET", "NETWORK"):
        monkeypatch.setattr(on_snowflake, f"{name}_TIMEOUT_SECONDS", 1)
    numbers = "(select seq4() as n from table(generator(rowcount => 10000000)))"
    endless = f"select count(*) from {numbers} as a, {numbers} as b where a.n * b.n % 7 = 3"

    def lasting() -> Any:
        return SnowflakeWarehouse.of(emulator.settings(), {}, role="ACCOUNTADMIN").query(
            "select system$wait(1.5)"
        )

    def timed_out(sql: str) -> str:
        of_a_second = emulator.settings(snowflake_timeout_seconds=1)
        with pytest.raises(WarehouseUnavailableError) as ended:
            SnowflakeWarehouse.of(of_a_second, {}, role="ACCOUNTADMIN").query(sql)
        return str(ended.value)

    def aborted() -> str:
        with account.session() as session, pytest.raises(ProgrammingError) as ended:
            session.cursor.execute("select system$wait(60)", timeout=1)
        return str(ended.value)

    with ThreadPoolExecutor() as pool:
        answer, *ends = (
            pool.submit(lasting),
            pool.submit(timed_out, "select system$wait(60)"),
            pool.submit(timed_out, endless),
            pool.submit(aborted),
        )
    assert answer.result().rows == [("waited 1.5 seconds",)]
    for end in ends[:2]:
        assert "statement or warehouse timeout of 1 second(s)" in end.result()
    assert "SQL execution canceled" in ends[2].result()


def test_a_session_ends_with_its_connection_and_takes_temporary_tables_along(
    account: SnowflakeWarehouse,
) -> None:
    with account.session() as session:
        session.run(Statement("create temporary table RAW.OF_SESSION (a varchar)"))
        session.run(Statement("insert into RAW.OF_SESSION values ('x')"))
        assert session.query("select * from RAW.OF_SESSION").rows == [("x",)]
    with pytest.raises(WarehouseRejectedError, match="does not exist"):
        account.query("select * from RAW.OF_SESSION")


def test_a_transaction_is_undone_by_an_exception(account: SnowflakeWarehouse) -> None:
    with account.session() as session:
        session.run(Statement("create table RAW.KEPT (a integer)"))

    def insert(value: int, *, into: str) -> None:
        with account.transaction() as transaction:
            transaction.run(Statement(f"insert into RAW.KEPT values ({value})"))
            transaction.run(Statement(f"insert into RAW.{into} values ({value})"))

    with pytest.raises(WarehouseRejectedError):
        insert(1, into="NOWHERE")
    insert(2, into="KEPT")
    assert account.query("select a from RAW.KEPT").rows == [(2,), (2,)]


@pytest.fixture
def open_transaction(account: SnowflakeWarehouse) -> Iterator[SnowflakeTransaction]:
    """A session that has deleted the only row of RAW.STORY and inserted another."""
    with account.session() as session:
        session.run(Statement("create or replace table RAW.STORY (a integer)"))
        session.run(Statement("insert into RAW.STORY values (1)"))
        session.run(Statement("begin"))
        session.run(Statement("delete from RAW.STORY"))
        session.run(Statement("insert into RAW.STORY values (2)"))
        yield session


def story(account: SnowflakeWarehouse) -> list[Any]:
    """The rows that other sessions see."""
    return sorted(value for (value,) in account.query("select a from RAW.STORY").rows)


@pytest.mark.parametrize(
    "sql",
    [
        "create or replace view RAW.OF_ANOTHER as select 1 as a",
        "-- a comment\ncreate or replace transient table RAW.ANOTHER (a integer)",
        "drop table if exists RAW.NEVER_THERE",
        "alter table RAW.STORY rename column a to a",
        "alter session set query_tag = 'x'",
        "use warehouse WH_INGEST",
    ],
)
def test_ddl_commits_what_is_open(
    account: SnowflakeWarehouse, open_transaction: SnowflakeTransaction, sql: str
) -> None:
    assert story(account) == [1]
    open_transaction.run(Statement(sql))
    assert story(account) == [2]
    open_transaction.run(Statement("rollback"))
    assert story(account) == [2]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("insert into RAW.STORY select a from RAW.NEVER_THERE", "does not exist"),
        ("select * from RAW.NEVER_THERE", "does not exist"),
        ("select 'late'", "reached its statement or warehouse timeout"),
    ],
    ids=["insert", "query", "timeout"],
)
@pytest.mark.parametrize(("end", "kept"), [("commit", [2, 3]), ("rollback", [1])])
def test_a_statement_that_fails_leaves_the_transaction_open(
    account: SnowflakeWarehouse,
    open_transaction: SnowflakeTransaction,
    sql: str,
    why: str,
    end: str,
    kept: list[int],
) -> None:
    if "late" in sql:
        with account.session() as session:
            session.run(Statement("insert into _FS_GLOBAL.MAIN.FAULTS values ('select .late.')"))
    with pytest.raises(Error, match=why):
        open_transaction.run(Statement(sql))
    assert story(account) == [1]
    open_transaction.run(Statement("insert into RAW.STORY values (3)"))
    assert open_transaction.query("select a from RAW.STORY order by 1").rows == [(2,), (3,)]
    open_transaction.run(Statement(end))
    assert story(account) == kept


def test_begin_inside_and_the_ends_outside_of_a_transaction_do_nothing(
    account: SnowflakeWarehouse, open_transaction: SnowflakeTransaction
) -> None:
    open_transaction.run(Statement("begin transaction"))
    open_transaction.run(Statement("rollback"))
    assert story(account) == [1]
    for end in ("rollback", "commit"):
        open_transaction.run(Statement(end))
        open_transaction.run(Statement(f"insert into RAW.STORY values ({len(end)})"))
        assert len(end) in story(account)


def test_a_session_that_ends_undoes_what_is_open(account: SnowflakeWarehouse) -> None:
    with account.session() as session:
        session.run(Statement("create or replace table RAW.STORY (a integer)"))
        session.run(Statement("create temporary table RAW.OF_THE_STORY (a integer)"))
        session.run(Statement("begin"))
        session.run(Statement("insert into RAW.STORY values (1)"))
    assert story(account) == []


def test_flatten_counts_the_elements_of_each_array(account: SnowflakeWarehouse) -> None:
    """Stock: one count over all arrays, wrong from some 300 on."""
    rows = account.query(
        "select lists.n, item.index, item.value::integer from"
        " (select seq4() as n, array_construct(n, n + 1, n + 2) as list"
        " from table(generator(rowcount => 900))) as lists,"
        " lateral flatten(input => lists.list) as item"
    ).rows
    assert sorted(rows) == [(n, index, n + index) for n in range(900) for index in range(3)]


def test_flatten_takes_what_its_mode_says(account: SnowflakeWarehouse) -> None:
    for text, mode, expected in (
        ('{"a": 1, "b c": [2]}', "OBJECT", [("a", None, "INTEGER"), ("b c", None, "ARRAY")]),
        ('{"a": 1}', "ARRAY", []),
        ("[1, null]", "ARRAY", [(None, 0, "INTEGER"), (None, 1, "NULL_VALUE")]),
        ("[1]", "OBJECT", []),
        ('"text"', "ARRAY", []),
        ("null", "OBJECT", []),
    ):
        rows = account.query(
            "select item.key, item.index, typeof(item.value) from"
            f" (select parse_json('{text}') as v) as t,"
            f" lateral flatten(input => t.v, mode => '{mode}') as item"
        ).rows
        assert sorted(rows, key=str) == expected, (text, mode)


def test_typeof_tells_what_a_variant_holds(account: SnowflakeWarehouse) -> None:
    for text, kind in (
        ("{}", "OBJECT"),
        ("[]", "ARRAY"),
        ('"x"', "VARCHAR"),
        ("1", "INTEGER"),
        ("-1", "INTEGER"),
        ("true", "BOOLEAN"),
        ("null", "NULL_VALUE"),
    ):
        assert one(account, f"typeof(parse_json('{text}'))") == kind
    assert one(account, "typeof(parse_json('{}'):absent)") is None


@pytest.mark.parametrize("value", ["null", "'[1]'", "1", "current_date"])
@pytest.mark.parametrize(
    "sql",
    [
        "select as_array(t.v) from t",
        "select typeof(t.v) from t",
        "select f.value from t, lateral flatten(input => t.v) as f",
    ],
)
def test_a_function_of_json_refuses_what_is_none(
    account: SnowflakeWarehouse, sql: str, value: str
) -> None:
    with pytest.raises(WarehouseRejectedError, match="Invalid argument types for function"):
        account.query(f"with t as (select {value} as v) {sql}")
    assert account.query(f"with t as (select null::variant as v) {sql}").rows in ([], [(None,)])


@pytest.mark.parametrize(
    ("written", "kind", "text"),
    [
        *[("7", "INTEGER", "7"), ("7.0", "INTEGER", "7"), ("-70.00", "INTEGER", "-70")],
        *[("1.50", "DECIMAL", "1.5"), ("0.0", "INTEGER", "0"), ("100", "INTEGER", "100")],
        *[("1e2", "DOUBLE", "100"), ("2.5E0", "DOUBLE", "2.5"), ("1e18", "DOUBLE", "1e+18")],
        *[("1" + 25 * "0", "INTEGER", "1" + 25 * "0"), ("1e25", "DOUBLE", "1e+25")],
        *[("1e-7", "DOUBLE", "1e-07"), ("123456789012345678", "INTEGER", "123456789012345678")],
        *[
            ('"7.0"', "VARCHAR", "7.0"),
            ('"1e2"', "VARCHAR", "1e2"),
            ('"a 7.0"', "VARCHAR", "a 7.0"),
        ],
    ],
)
def test_a_number_has_one_text_however_it_is_written(
    account: SnowflakeWarehouse, written: str, kind: str, text: str
) -> None:
    of_table = f"from (select try_parse_json('{{\"a\": [{written}]}}') as v) as t"
    (read,) = account.query(f"select v:a[0]::varchar, v:a[0] {of_table}").rows
    assert read[0] == text
    ((found, again),) = account.query(
        f"select typeof(f.value), f.value::varchar {of_table}, lateral flatten(input => t.v:a) as f"
    ).rows
    assert again == text
    # DuckDB does not distinguish a double from a decimal with a fraction.
    assert found in (kind, "DOUBLE")


def test_what_is_nearly_json_is_read(account: SnowflakeWarehouse) -> None:
    for text, read in (
        ("[1,,2]", [1, None, 2]),
        ("[,1]", [None, 1]),
        ("[1,,,2]", [1, None, None, 2]),
        ("[1,2,]", [1, 2, None]),
        ('[[1,,2],"a,,b",3]', [[1, None, 2], "a,,b", 3]),
        ('{"a":1,}', {"a": 1}),
        ('{"a":.5}', {"a": 0.5}),
    ):
        assert json.loads(one(account, f"to_json(try_parse_json('{text}'))")) == read, text
    for text in ("", " ", '{"a":,"b":1}', '{,"a":1}', "[1 2]", "-"):
        assert one(account, f"try_parse_json('{text}') is null") is True, text


def test_an_instant_is_written_in_the_format_that_is_named(account: SnowflakeWarehouse) -> None:
    instant = "'2026-01-02 03:04:05.06'::timestamp_ntz"
    assert one(account, f"to_char({instant}, 'YYYY-MM-DD HH24:MI:SS.FF6')") == (
        "2026-01-02 03:04:05.060000"
    )
    assert one(account, "to_char(max('2026-01-02'::date), 'YYYY-MM-DD')") == "2026-01-02"


def test_a_text_with_a_key_twice_is_no_json(account: SnowflakeWarehouse) -> None:
    for text, is_json in (
        ('{"a": 1, "b": {"a": 1}}', True),
        ("[1]", True),
        ("null", True),
        ('{"a": 1, "a": 1}', False),
        ('{"_airbyte_data": {"a": 1, "a": 2}}', False),
        ("{", False),
    ):
        assert one(account, f"try_parse_json('{text}') is not null") is is_json, text


def test_text_in_a_variant_loses_its_quotes_when_it_is_cast(account: SnowflakeWarehouse) -> None:
    rows = account.query(
        "select v::varchar, to_json(v), n::varchar from (select parse_json('\"t\"') as v, 5 as n)"
    ).rows
    assert rows == [("t", '"t"', "5")]


def test_an_array_of_variants_is_searched(account: SnowflakeWarehouse) -> None:
    for text, found in (("[0, 2]", True), ("[1]", False), ('"text"', None)):
        assert one(account, f"array_contains(2::variant, as_array(parse_json('{text}')))") is found
    for text, found in (('["2"]', True), ("[2]", False)):
        found_text = f"array_contains(2::varchar::variant, as_array(parse_json('{text}')))"
        assert one(account, found_text) is found


def test_a_sum_of_integers_is_exact(account: SnowflakeWarehouse) -> None:
    rows = account.query(
        "select sum(n), sum(n)::varchar from"
        " (select 9007199254740993 as n union all select 9007199254740993 union all select 1)"
    ).rows
    assert rows == [(18014398509481987, "18014398509481987")]


def test_trim_removes_the_named_characters_at_the_named_end(account: SnowflakeWarehouse) -> None:
    """Stock: each of them is TRIM(x)."""
    assert one(account, "rtrim(' x' || chr(13), chr(13))") == " x"
    assert one(account, "ltrim('xxa', 'x') || '|' || trim(' b ')") == "a|b"


def test_a_pattern_finds_a_backslash(account: SnowflakeWarehouse) -> None:
    """Stock: the pattern of one backslash is an error."""
    assert one(account, r"regexp_replace('a\\b\\c', '(\\\\)', '<\\1>')") == r"a<\>b<\>c"


def test_a_statement_is_explained_and_not_run(account: SnowflakeWarehouse) -> None:
    """Stock: EXPLAIN is not supported."""
    with account.session() as session:
        session.run(Statement("create table RAW.EXPLAINED (a integer)"))
        for sql in ("select a from RAW.EXPLAINED", "with b as (select 1 as a) select a from b"):
            assert session.refusal(f"explain using text\n{sql}") is None
        for sql, said in (
            ("select b from RAW.EXPLAINED", '"B" not found'),
            ("select a from RAW.NEVER_THERE", "does not exist"),
            ("selec a", "explain of this statement"),
        ):
            assert said in str(session.refusal(f"explain using text {sql}")), sql


def test_an_instant_that_is_null_is_null(account: SnowflakeWarehouse) -> None:
    """Stock: 1970."""
    rows = account.query(
        "select x from (select null::timestamp_ntz as x, 1 as n"
        " union all select '2026-01-01 00:00:01'::timestamp_ntz, 2) order by n"
    ).rows
    assert rows == [(None,), (datetime(2026, 1, 1, 0, 0, 1),)]


def test_text_that_may_be_an_instant_with_a_zone_is_read(account: SnowflakeWarehouse) -> None:
    read = one(account, "try_to_timestamp_tz('2026-01-01T01:00:00+01:00')")
    assert read.astimezone(UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    assert one(account, "try_to_timestamp_tz('soon')") is None


def test_the_history_has_each_statement_with_its_tag(account: SnowflakeWarehouse) -> None:
    with account.session() as session:
        session.run(Statement("select 'under the tag of the sign-in'"))
        session.run(Statement("""alter session set query_tag = '{"step": "it''s"}'"""))
        session.run(Statement("select 'under its own'"))
    tags = {
        text: json.loads(tag)
        for text, tag in account.query(
            "select query_text, query_tag from table(information_schema.query_history_by_user())"
            " where query_text like 'select ''under%'"
        ).rows
    }
    assert tags == {
        "select 'under the tag of the sign-in'": {"app": "test", "run_id": "conformance"},
        "select 'under its own'": {"step": "it's"},
    }


def test_views_stand_among_the_tables_of_a_schema(account: SnowflakeWarehouse) -> None:
    with account.session() as session:
        session.run(Statement("create table RAW.LISTED (a varchar)"))
        session.run(Statement("create view RAW.LISTED_VIEW as select a from RAW.LISTED"))
    assert account.query(
        "select table_name, table_type from information_schema.tables"
        " where table_schema = 'RAW' and table_name like 'LISTED%' order by 1"
    ).rows == [("LISTED", "BASE TABLE"), ("LISTED_VIEW", "VIEW")]


def test_objects_of_the_account_are_listed(account: SnowflakeWarehouse) -> None:
    with account.session() as session:
        for sql in (
            "use role USERADMIN",
            "create role if not exists READER",
            "create role if not exists READER",
            "grant usage on schema VP_DWH.RAW to role READER",
            "grant select, insert on future tables in schema VP_DWH.RAW to role READER",
        ):
            session.run(Statement(sql))
    assert account.query("show roles like 'READER'").dicts() == [{"name": "READER"}]
    (usage,) = account.query("show grants to role READER").dicts()
    assert (usage["privilege"], usage["granted_on"]) == ("USAGE", "SCHEMA")
    assert usage["name"] == "VP_DWH.RAW"
    future = account.query("show future grants to role READER").dicts()
    assert [(row["privilege"], row["grant_on"], row["name"]) for row in future] == [
        ("SELECT", "TABLE", "VP_DWH.RAW.<TABLE>"),
        ("INSERT", "TABLE", "VP_DWH.RAW.<TABLE>"),
    ]


def test_a_role_does_what_it_was_granted_and_nothing_else(
    account: SnowflakeWarehouse, emulator: Emulator
) -> None:
    """Stock: every session may do everything."""
    make = """
        create role if not exists LOADER
        create role if not exists ABOVE
        create schema VP_DWH.OWNED
        grant role LOADER to role ABOVE
        grant usage on warehouse WH_INGEST to role LOADER
        grant usage on database VP_DWH to role LOADER
        grant usage on schema VP_DWH.OWNED to role LOADER
        create table OWNED.BEFORE (a integer)
        grant select, insert on future tables in schema VP_DWH.OWNED to role LOADER
        create table OWNED.LINES (a integer)
        create view OWNED.BEHIND as select a from OWNED.BEFORE
        grant select on view VP_DWH.OWNED.BEHIND to role LOADER
    """
    with account.session() as session:
        for sql in make.strip().splitlines():
            session.run(Statement(sql.strip()))
    may = """
        insert into OWNED.LINES values (1)
        select a from VP_DWH.OWNED.LINES
        with BEFORE as (select 1 as a) select a from BEFORE
        select a from OWNED.BEHIND
        create temporary table OWNED.OF_SESSION as select a from OWNED.LINES
        select a from OWNED.OF_SESSION
    """
    may_not = """
        select a from OWNED.BEFORE
        select a from OWNED.LINES where a in (select a from OWNED.BEFORE)
        insert into OWNED.LINES select a from OWNED.BEFORE
        delete from OWNED.LINES
        update OWNED.LINES set a = 2
        create table OWNED.MINE (a integer)
        create or replace table OWNED.LINES (a integer)
        create view OWNED.MINE as select a from OWNED.LINES
        alter table OWNED.LINES add column b integer
        drop table OWNED.LINES
        create schema VP_DWH.MINE
    """
    for role in ("LOADER", "ABOVE"):
        with SnowflakeWarehouse.of(emulator.settings(), {}, role=role).session() as session:
            for sql in may.strip().splitlines():
                session.run(Statement(sql.strip()))
            for sql in may_not.strip().splitlines():
                with pytest.raises(ProgrammingError, match=r"not authorized|Insufficient"):
                    session.run(Statement(sql.strip()))
    without_warehouse = emulator.settings(snowflake_warehouse="WH_ELSEWHERE")
    with pytest.raises(WarehouseRejectedError, match="No active warehouse"):
        SnowflakeWarehouse.of(without_warehouse, {}, role="LOADER").query(
            "select a from OWNED.LINES"
        )
    with pytest.raises(WarehouseRejectedError, match="Role 'NOBODY' specified in the connect"):
        SnowflakeWarehouse.of(emulator.settings(), {}, role="NOBODY").query("select 1")
