"""The points at which tests kill a run: between any two of its writes."""

from typing import Final

from tests.support.killing import Point, dbt_statement

OF_THE_RUN: Final = (
    Point(
        "the sync is started and not claimed",
        "veracitypro_pipeline.resources.state_store:StateStore.write",
        "before",
        "product_raw/claims",
    ),
    Point(
        "the files are read and there is no manifest",
        "veracitypro_pipeline.resources.state_store:StateStore.write",
        "after",
        "landing/keepa/product_raw/index",
    ),
    Point(
        "rows are in RAW and not committed",
        "veracitypro_pipeline.resources.warehouse.on_duckdb:DuckDBTransaction.run",
        "after",
        "insert into RAW.KEEPA_RAW",
    ),
    Point(
        "rows are committed and nobody knows",
        "veracitypro_pipeline.raw.engines:DuckDBEngine.load",
        "after",
    ),
)
OF_DBT: Final = dbt_statement(
    "a model is written and what it was made of is not kept",
    "before",
    "create or replace table .*_BUILT_CORE_KEEPA_PRICE_DAILY",
)
BEFORE_ITS_ROW: Final = Point(
    "all is built and the run has no row in MONITORING",
    "veracitypro_pipeline.cli.batch:_Reporter.report_end",
    "before",
)
