"""The first failing rows of a red dbt test are stored as JSON, once, whatever they contain."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from veracitypro_pipeline.statement import named, positional
from veracitypro_pipeline.transform.failing_rows import (
    CREATE_TABLE,
    FailedTest,
    failed_tests,
    first_failing_rows,
    replace,
)

RED = FailedTest("unique_b", "with x as (select 1 as a)\nselect * from x -- the end")


def test_only_red_tests_of_this_run_are_queried(tmp_path: Path) -> None:
    """A build that writes no results leaves the file of an earlier run in place."""
    file = tmp_path / "run_results.json"
    assert failed_tests(file, ["test.veracitypro.unique_b.1f"], "r1") == []
    results = [
        {"unique_id": "test.veracitypro.unique_a.0f", "compiled_code": "select 1"},
        {"unique_id": "test.veracitypro.unique_b.1f", "compiled_code": RED.sql},
        {"unique_id": "model.veracitypro.stg_keepa_price", "compiled_code": None},
    ]
    file.write_text(json.dumps({"metadata": {"env": {"RUN_ID": "r1"}}, "results": results}))
    assert failed_tests(file, ["test.veracitypro.unique_b.1f"], "r1") == [RED]
    assert failed_tests(file, ["test.veracitypro.unique_b.1f"], "r2") == []
    assert failed_tests(file, [], "r1") == []


def test_any_row_can_be_stored_and_a_retry_stores_it_once() -> None:
    rows: list[dict[str, Any]] = [
        {"asin": "B0'$x; --", "price": Decimal("1.50"), "date": date(2026, 1, 31)},
        {"asin": None, "price": None, "at": datetime(2026, 1, 31, 12, tzinfo=UTC)},
    ]
    with duckdb.connect() as connection:
        connection.execute("create schema MONITORING")
        for statement in (CREATE_TABLE, *replace("r1", "2026-01-31", RED, rows) * 2):
            sql, values = named(statement)
            connection.execute(sql, dict(values) or None)
        kept = connection.execute(
            "select * from MONITORING.TEST_FAILURE_ROW order by row_number"
        ).fetchall()
    assert [row[:4] for row in kept] == [
        ("r1", date(2026, 1, 31), "unique_b", number) for number in (1, 2)
    ]
    assert [json.loads(row[4])["asin"] for row in kept] == ["B0'$x; --", None]
    assert json.loads(kept[0][4])["price"] == "1.50"


@pytest.mark.parametrize("dialect", ["snowflake", "duckdb"])
def test_the_statements_parse_on_both_engines(dialect: str) -> None:
    statements = replace("r1", "2026-01-31", RED, [{"a": 1}])
    texts = [
        first_failing_rows(RED),
        *(positional(statement)[0] for statement in statements),
    ]
    for sql in texts:
        sqlglot.parse_one(sql, dialect=dialect)
    assert texts[0].endswith("limit 100")
