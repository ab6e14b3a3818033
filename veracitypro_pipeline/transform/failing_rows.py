"""The rows that made a dbt test red, kept for people to look at. Pure: no Dagster, no warehouse.

dbt's own `store_failures` was left out: it makes a table for every test that runs, also for those
that pass. Here a green night costs nothing, and of a red test the first rows go to one table.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from veracitypro_pipeline.runs.summary import DBT_RUN_ID
from veracitypro_pipeline.statement import Statement

# Kept of each test; the check says how many there are in all.
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
    """A dbt test that is red, and the query that finds its failing rows."""

    name: str
    sql: str


def failed_tests(run_results: Path, unique_ids: Sequence[str], run_id: str) -> list[FailedTest]:
    """Of these tests, those that dbt's file of results has with their SQL.

    None if there is no file, or if it is that of another run.
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


def question(test: FailedTest) -> str:
    """The first failing rows of a test."""
    return f"select * from (\n{test.sql}\n) as failing limit {ROWS_KEPT}"  # noqa: S608 - dbt's own


def keep(
    run_id: str, as_of_date: str, test: FailedTest, rows: Sequence[Mapping[str, Any]]
) -> list[Statement]:
    """Replace what is kept of a test in a run."""
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
                # In VALUES Snowflake takes constants alone, no cast.
                {**of_test, "as_of_date": date.fromisoformat(as_of_date), **texts},
            )
        )
    return statements
