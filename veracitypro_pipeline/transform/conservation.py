"""The gate between MART and Power BI: nothing was lost on the way from RAW, in numbers.

What holds inside one model, or must stop the build before the next layer, is a dbt test. This check
counts over all three layers once dbt is done, and reports the counts.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import (
    CORE,
    DBT_STAGES,
    DIM_PRODUCT,
    LANDING_PRODUCT,
    MART,
    model_key,
)
from veracitypro_pipeline.partitions import day_of_step
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted

# The first equation is about the files of the day. The others are about the products
# in them: the points of each series before its horizon are the changes that CORE counts
# (where a table counts them); and each series has a row for every day from its first point to its
# horizon (where a row is of one series: a buy box has a row per seller and day, and rating and
# review count share one). Both only from the first day on that the daily tables keep.
COUNTS_OF_DAY: Final = """
with products as (
    select domain_id, asin
    from STG.STG_KEEPA_HISTORY
    where (domain_id, asin) in (
        select domain_id, asin
        from STG.STG_KEEPA_FETCH
        where source_file in ($files)
    )
),
-- How far back the daily tables go (VP_DAILY_HISTORY_DAYS), in days since 2011-01-01.
kept as (
    select coalesce(max(first_day_kept), 0) as first_day
    from MONITORING._BUILT_CORE_KEEPA_PRICE_DAILY
),
points as (
    select domain_id, asin, price_channel as series, minute from STG.STG_KEEPA_PRICE
    union all
    select domain_id, asin, series, minute from STG.STG_KEEPA_RANK
    union all
    select domain_id, asin, count_channel as series, minute from STG.STG_KEEPA_OFFER_COUNT
),
described as (
    select domain_id, asin, change_count from CORE.CORE_KEEPA_PRICE_DAILY
    union all
    select domain_id, asin, change_count from CORE.CORE_KEEPA_RANK_DAILY
    union all
    select domain_id, asin, change_count from CORE.CORE_KEEPA_CATEGORY_RANK_DAILY
    union all
    select domain_id, asin, change_count from CORE.CORE_KEEPA_OFFER_COUNT_DAILY
    union all
    -- These do not count changes, or not those of whole days alone.
    select domain_id, asin, 0 as change_count from CORE.CORE_KEEPA_MONTHLY_SOLD_DAILY
    union all
    select domain_id, asin, 0 as change_count from CORE.CORE_KEEPA_OFFER_PRICE_DAILY
),
due as (
    select
        domain_id,
        asin,
        greatest(
            ceil(horizon_minute / 1440) - greatest(floor(first_minute / 1440), first_day), 0
        ) as days
    from CORE.CORE_KEEPA_SERIES cross join kept
    where
        first_minute < horizon_minute
        and series_group in (
            'price', 'rank', 'category_rank', 'offer_count', 'monthly_sold', 'offer_price'
        )
)
select
    (
        select count(*)
        from RAW.KEEPA_RAW
        where source_file in ($files)
    ) as raw_rows,
    (
        select count(*)
        from RAW.KEEPA_RAW
        where source_file in ($files) and raw_line is not null
    ) as unreadable,
    (
        select count(*)
        from STG.STG_KEEPA_FETCH
        where source_file in ($files)
    ) as accepted,
    (
        select count(*)
        from STG.STG_KEEPA_QUARANTINE
        where source_file in ($files) and scope = 'record'
    ) as refused,
    (select count(*) from STG.STG_KEEPA_POINT) as all_points,
    (select count(*) from products) as products,
    (
        select count(*)
        from MART.DIM_PRODUCT
        where (domain_id, asin) in (select domain_id, asin from products)
            and last_fetched_at is not null
    ) as products_in_mart,
    (
        select count(*)
        from points
        inner join products using (domain_id, asin)
        inner join CORE.CORE_KEEPA_SERIES as series using (domain_id, asin, series)
        cross join kept
        where points.minute < series.horizon_minute and floor(points.minute / 1440) >= first_day
    ) as points,
    (
        select coalesce(sum(change_count), 0)
        from described inner join products using (domain_id, asin)
    ) as changes,
    (
        select coalesce(sum(days), 0)
        from due inner join products using (domain_id, asin)
    ) as days_due,
    (select count(*) from described inner join products using (domain_id, asin)) as days_described
"""


@dg.asset_check(
    asset=DIM_PRODUCT,
    blocking=True,
    retry_policy=CHECK_RETRIES,
    additional_ins={"manifest": dg.AssetIn(key=LANDING_PRODUCT)},
)
@final_when_interrupted
def nothing_lost_between_raw_and_mart(
    context: dg.AssetCheckExecutionContext, manifest: LandingManifest, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """Every RAW row is accepted or refused, every point and every day is in CORE.

    If red: reports would miss prices or products; Power BI is not refreshed. The description
    says which two numbers differ. Make the tables anew by `vp backfill --full-refresh`
    of the day.

    Runbook: infra/runbooks/nothing_lost_between_raw_and_mart.md
    """
    of_day = {"files": [file.key for file in manifest.files]}
    (row,) = warehouse.query(COUNTS_OF_DAY, of_day).dicts()
    counts = {name: int(count) for name, count in row.items()}
    day = day_of_step(context).isoformat()
    # Each view of STG and CORE joins all points; marts are views of one table each.
    rows_of = {stage: warehouse.row_counts(stage, has_views=stage == MART) for stage in DBT_STAGES}
    core_rows, mart_rows = (sum(rows_of[stage].values()) for stage in (CORE, MART))
    for stage, rows_by_model in rows_of.items():
        for model, rows in rows_by_model.items():
            context.op_execution_context.log_event(row_count(model_key(stage, model), rows, day))
    broken = broken_equations(counts)
    return dg.AssetCheckResult(
        passed=not broken,
        description=(
            "; ".join(broken)
            or f"{day}: RAW rows {counts['raw_rows']} = accepted"
            f" {counts['accepted']} + refused {counts['refused']}; {counts['points']} points are"
            f" {counts['changes']} changes in CORE; {counts['days_due']} days due are"
            f" {counts['days_described']} days in CORE."
        ),
        metadata={
            **counts,
            # The lines that are no record were counted as refused by the raw stage.
            "stg_rows_in": counts["raw_rows"] - counts["unreadable"],
            "stg_rows_out": counts["accepted"],
            "stg_rows_refused": counts["refused"] - counts["unreadable"],
            "core_rows_in": counts["all_points"],
            "core_rows_out": core_rows,
            "mart_rows_in": core_rows,
            "mart_rows_out": mart_rows,
            "mart_rows_refused": 0,
            **{f"warehouse_{name}": figure for name, figure in warehouse.usage().items()},
        },
    )


def row_count(asset: dg.AssetKey, rows: int, as_of_date: str) -> dg.AssetObservation:
    """How many rows a table has, where the Dagster UI looks for that.

    Seen here, because these counts are taken anyway: counting in the build would be a query per
    model, and on DuckDB wait until dbt lets go of the file.
    """
    return dg.AssetObservation(asset, partition=as_of_date, metadata={"dagster/row_count": rows})


def broken_equations(counts: dict[str, int]) -> list[str]:
    """A sentence for each equation that does not hold; `counts` are those of `COUNTS_OF_DAY`."""
    equations = (
        (
            "RAW.KEEPA_RAW rows",
            counts["raw_rows"],
            "STG accepted and refused",
            counts["accepted"] + counts["refused"],
        ),
        (
            "products in STG",
            counts["products"],
            "products in MART.DIM_PRODUCT",
            counts["products_in_mart"],
        ),
        ("points in STG", counts["points"], "changes counted in CORE", counts["changes"]),
        ("days due", counts["days_due"], "days in CORE", counts["days_described"]),
    )
    return [
        f"{left} {left_count} are not {right} {right_count}"
        for left, left_count, right, right_count in equations
        if left_count != right_count
    ]


CHECKS = [nothing_lost_between_raw_and_mart]
