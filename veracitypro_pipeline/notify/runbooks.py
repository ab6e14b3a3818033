"""The runbook in `infra/runbooks` for each alert. Pure.

A test compares the names here with the files there.
"""

from typing import Final

from veracitypro_pipeline.runs.summary import RunSummary

# Our own checks: each has a runbook of the same name.
OF_CHECKS: Final = frozenset(
    {
        "sync_succeeded",
        "sync_is_newest",
        "files_arrived",
        "records_equal_lines",
        "files_of_this_sync",
        "earlier_files_are_whole",
        "lines_loaded_or_quarantined",
        "lines_are_json",
        "nothing_lost_between_raw_and_mart",
        "refusals_are_few",
        "data_is_fresh",
        "volume_is_usual",
        "dataset_is_current",
        "run_time_is_usual",
    }
)
# From the start of a dbt test's name to its runbook.
OF_DBT_TESTS: Final = {
    "primary_key": "dbt_keys",
    "foreign_key": "dbt_keys",
    "unique": "dbt_keys",
    "not_null": "dbt_keys",
    "relationships": "dbt_keys",
    "points_": "dbt_conservation",
    "raw_rows_": "dbt_conservation",
    "tracked_products_": "tracked_products_are_fetched",
}
OTHER_DBT_TESTS: Final = "dbt_values"
# From the stage of a failed step to its runbook.
OF_STAGES: Final = {
    "ingest": "ingest_failed",
    "landing": "landing_failed",
    "raw": "raw_failed",
    "stg": "dbt_failed",
    "core": "dbt_failed",
    "mart": "dbt_failed",
    "bi": "bi_failed",
}
OF_RUN: Final = "run_failed"
OF_DEADLINE: Final = "deadline_missed"


def file_of(runbook: str) -> str:
    """Its path in the repository."""
    return f"infra/runbooks/{runbook}.md"


def of_check(name: str) -> str:
    """The runbook of a check, named `check` or `asset: check`."""
    name = name.rpartition(": ")[2]
    if name in OF_CHECKS:
        return name
    return next(
        (runbook for start, runbook in OF_DBT_TESTS.items() if name.startswith(start)),
        OTHER_DBT_TESTS,
    )


def of_failure(summary: RunSummary) -> str:
    """The runbook of a failed run: that of the check that blocked it, else of its failed stage."""
    stopped_by = next((check for check in summary.red_checks if check.is_error), None)
    if stopped_by is not None:
        return of_check(stopped_by.name)
    stage = summary.failures[0].stage if summary.failures else ""
    return OF_STAGES.get(stage, OF_RUN)
