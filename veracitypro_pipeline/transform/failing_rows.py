"""Statements that store the failing rows of red dbt tests. Pure: no Dagster, no warehouse.

dbt's own `store_failures` creates a table for every test, even one that passes. Here a green night
costs nothing, and one table gets the first rows of each red test.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from veracitypro_pipeline.runs.summary import DBT_RUN_ID
from veracitypro_pipeline.statement import Statement

# Stored for each test; the check has the total.
ROWS_KEPT: Final = 100

# Grain: one row per run, test and failing row; `failing_row` is the row as JSON.
CREATE_TABLE: Final = Statement("""\
create table if not exists MONITORING.TEST_FAILURE_ROW (
    run_id varchar not null,
    as_of_date date,
    check_name varchar not null,
    row_number bigint not null,
    failing_row varchar not null
)""")


class FailedTest(NamedTuple):
    """A red dbt test, and the query for its failing rows."""

    name: str
    sql: str


def failed_tests(run_results: Path, unique_ids: Sequence[str], run_id: str) -> list[FailedTest]:
    """The tests with these unique ids that have compiled SQL in dbt's `run_results.json`.

    Empty if there is no such file, or if another run wrote it.

    Raises:
        OSError, ValueError, LookupError, TypeError: the file cannot be read.
    """
    if not unique_ids or not run_results.exists():
        return []
    document = json.loads(run_results.read_text(encoding="utf-8"))
    if document["metadata"]["env"].get(DBT_RUN_ID) != run_id:
        return []
    return [
        FailedTest(result["unique_id"].split(".")[2], result["compiled_code"])
        for result in document["results"]
        if result["unique_id"] in unique_ids and result.get("compiled_code")
    ]


def first_failing_rows(test: FailedTest) -> str:
    """A query for the first failing rows of a test."""
    return f"select * from (\n{test.sql}\n) as failing limit {ROWS_KEPT}"  # noqa: S608 - dbt's own


def replace(
    run_id: str, as_of_date: str, test: FailedTest, rows: Sequence[Mapping[str, Any]]
) -> list[Statement]:
    """Statements that replace the stored rows of a test in a run."""
    of_test = {"run_id": run_id, "check_name": test.name}
    statements = [
        Statement(
            "delete from MONITORING.TEST_FAILURE_ROW"
            " where run_id = $run_id and check_name = $check_name",
            of_test,
        )
    ]
    if rows:
        values = ", ".join(
            f"($run_id, $as_of_date, $check_name, {number}, $row_{number})"
            for number in range(1, len(rows) + 1)
        )
        texts = {
            f"row_{number}": json.dumps(row, default=str, ensure_ascii=False)
            for number, row in enumerate(rows, start=1)
        }
        statements.append(
            Statement(
                "insert into MONITORING.TEST_FAILURE_ROW"  # noqa: S608 - numbers
                f" (run_id, as_of_date, check_name, row_number, failing_row) values {values}",
                # Snowflake allows only constants in VALUES, no casts.
                {**of_test, "as_of_date": date.fromisoformat(as_of_date), **texts},
            )
        )
    return statements
