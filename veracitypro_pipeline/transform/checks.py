"""The gate between MART and Power BI: nothing was lost on the way from RAW, in numbers.

What holds inside one model, or must stop the build before the next layer, is a dbt test. These
checks count over all three layers once dbt is done, and report the counts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.failures import CHECK_RETRIES, final_when_interrupted, refusal_severity
from veracitypro_pipeline.handover import LandingManifest
from veracitypro_pipeline.lineage import CORE, DBT_STAGES, LANDING_PRODUCT, MART, model_key
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.warehouse import WarehouseResource

DIM_PRODUCT: Final = model_key(MART, "dim_product")

# The first equation is about the files of the day. The others are about the products
# in them: their points up to the end of their last as-of day are the changes that CORE counts
# (where a table counts them); and each series has a row for every day from its first point to its
# horizon (where a row is of one series: a buy box has a row per seller and day, and rating and
# review count share one).
COUNTS_OF_DAY: Final = """
with products as (
    select domain_id, asin, cast(last_as_of_date + interval '1 day' as timestamp) as horizon_at
    from STG.STG_KEEPA_HISTORY
    where (domain_id, asin) in (
        select domain_id, asin
        from STG.STG_KEEPA_FETCH
        where source_file in ($files)
    )
),
points as (
    select domain_id, asin, changed_at from STG.STG_KEEPA_PRICE
    union all
    select domain_id, asin, changed_at from STG.STG_KEEPA_RANK
    union all
    select domain_id, asin, changed_at from STG.STG_KEEPA_OFFER_COUNT
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
    select domain_id, asin, ceil(horizon_minute / 1440) - floor(first_minute / 1440) as days
    from CORE.CORE_KEEPA_SERIES
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
        where source_file in ($files) and payload is null
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
        from points inner join products using (domain_id, asin)
        where changed_at < horizon_at
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
    partitions_def=daily_as_of,
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
    rows_of = {stage: warehouse.row_counts(stage) for stage in DBT_STAGES}
    core_rows, mart_rows = (sum(rows_of[stage].values()) for stage in (CORE, MART))
    for stage, rows_by_model in rows_of.items():
        for model, rows in rows_by_model.items():
            context.op_execution_context.log_event(
                row_count(model_key(stage, model), rows, context.partition_key)
            )
    broken = broken_equations(counts)
    return dg.AssetCheckResult(
        passed=not broken,
        description=(
            "; ".join(broken)
            or f"{manifest.as_of_date}: RAW rows {counts['raw_rows']} = accepted"
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


# Of each file: when it was loaded, records refused, and points and whole histories refused in those
# accepted, with the records that lack a history for it.
REFUSALS_OF_FILES: Final = """
with loads as (
    select source_file, count(*) as records, max(loaded_at) as loaded_at
    from RAW.KEEPA_RAW
    where source_file in ($files)
    group by source_file
),
refused as (
    select source_file, count(*) as refused_records
    from STG.STG_KEEPA_QUARANTINE
    where source_file in ($files) and scope = 'record'
    group by source_file
),
fetches as (
    -- A line can stand twice in a file.
    select distinct source_file, fetch_id
    from STG.STG_KEEPA_FETCH
    where source_file in ($files)
),
series as (
    select
        fetches.source_file,
        sum(series.point_count) as points,
        sum(series.refused_count) as refused_points,
        count(*) as histories,
        count(series.refusal_reason) as refused_histories,
        count(
            distinct case when series.refusal_reason is not null then series.fetch_id end
        ) as products_without
    from STG.STG_KEEPA_SERIES as series
    inner join fetches on series.fetch_id = fetches.fetch_id
    group by fetches.source_file
)
select
    loads.source_file,
    loads.loaded_at,
    loads.records,
    coalesce(refused.refused_records, 0) as refused_records,
    coalesce(series.points, 0) as points,
    coalesce(series.refused_points, 0) as refused_points,
    coalesce(series.histories, 0) as histories,
    coalesce(series.refused_histories, 0) as refused_histories,
    coalesce(series.products_without, 0) as products_without
from loads
left join refused on loads.source_file = refused.source_file
left join series on loads.source_file = series.source_file
"""

# Whose points or histories those are.
REFUSED_PRODUCTS: Final = """
select distinct fetches.asin
from STG.STG_KEEPA_FETCH as fetches
inner join STG.STG_KEEPA_SERIES as series on fetches.fetch_id = series.fetch_id
where
    fetches.source_file in ($files)
    and (series.refused_count > 0 or series.refusal_reason is not null)
order by fetches.asin
"""
_NAMED_PRODUCTS: Final = 5


@dg.asset_check(
    asset=DIM_PRODUCT,
    blocking=True,
    partitions_def=daily_as_of,
    retry_policy=CHECK_RETRIES,
    additional_ins={"manifest": dg.AssetIn(key=LANDING_PRODUCT)},
)
@final_when_interrupted
def refusals_are_few(
    manifest: LandingManifest, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """What STG refused of the files loaded is little enough to be the fault of single products.

    If it warns: the named products keep their older figures; STG.STG_KEEPA_QUARANTINE has each
    refusal with its reason and text. If red: Keepa or Airbyte has changed the format, reports would
    freeze unnoticed, and Power BI is not refreshed; compare a refused text with infra/airbyte and
    the data contract in the models' descriptions. A file of an earlier day that came late is judged
    too, as is an earlier day of which STG refused as much as is red, but neither holds up a report
    of this day.

    Runbook: infra/runbooks/refusals_are_few.md
    """
    # Of a day that was fetched again, the newest sync counts.
    by_day = {sync.as_of_date: sync for sync in sorted(manifest.loadable[1:], key=_job_of)}
    files = {file.key for sync in (manifest, *by_day.values()) for file in sync.files}
    rows = warehouse.query(REFUSALS_OF_FILES, {"files": sorted(files)}).dicts()
    by_file = {row.pop("source_file"): row for row in rows}
    of_day = refusals_of(manifest, by_file)
    said = [
        f"Airbyte job {sync.job_id} of {sync.as_of_date}"
        f" ({', '.join(file.key for file in sync.files)}): refused {refusals.said}."
        for sync in by_day.values()
        if (refusals := refusals_of(sync, by_file)).total
        and (refusals.are_grave or is_late(sync, manifest, by_file))
    ]
    of_products = ""
    if of_day.refused_points or of_day.refused_histories:
        names = {"files": [file.key for file in manifest.files]}
        asins = [asin for (asin,) in warehouse.query(REFUSED_PRODUCTS, names).rows]
        more = f" and {len(asins) - _NAMED_PRODUCTS} more" if len(asins) > _NAMED_PRODUCTS else ""
        of_products = f", of {', '.join(asins[:_NAMED_PRODUCTS])}{more}"
    return dg.AssetCheckResult(
        passed=not of_day.total and not said,
        severity=(dg.AssetCheckSeverity.ERROR if of_day.are_grave else dg.AssetCheckSeverity.WARN),
        description=" ".join([f"Refused: {of_day.said}{of_products}.", *said]),
        metadata={
            **of_day._asdict(),
            "core_rows_refused": of_day.refused_points + of_day.refused_histories,
        },
    )


class Refusals(NamedTuple):
    """What STG refused of some files; points and histories are those of accepted records.

    `products_without` are records that lack a history for it. A product has some thirty: what
    Keepa changes in one of each is few histories, and all products.
    """

    records: int
    refused_records: int
    points: int
    refused_points: int
    histories: int
    refused_histories: int
    products_without: int

    @property
    def total(self) -> int:
        return self.refused_records + self.refused_points + self.refused_histories

    @property
    def are_grave(self) -> bool:
        """More than single products are at fault."""
        return dg.AssetCheckSeverity.ERROR in (
            refusal_severity(self.refused_records, self.records),
            refusal_severity(self.refused_points, self.points),
            refusal_severity(self.refused_histories, self.histories),
            refusal_severity(self.products_without, self.records),
        )

    @property
    def said(self) -> str:
        return (
            f"{self.refused_records} of {self.records} records, {self.refused_points} of"
            f" {self.points} points, {self.refused_histories} of {self.histories} histories"
        )


def refusals_of(sync: LandingManifest, by_file: Mapping[str, Mapping[str, Any]]) -> Refusals:
    """The sum over a sync's files; `by_file` are rows of `REFUSALS_OF_FILES`."""
    rows = [by_file[file.key] for file in sync.files if file.key in by_file]
    return Refusals(*(sum(int(row[name]) for row in rows) for name in Refusals._fields))


def is_late(
    sync: LandingManifest, manifest: LandingManifest, by_file: Mapping[str, Mapping[str, Any]]
) -> bool:
    """Whether a file of an earlier sync was loaded with those of the manifest, or since.

    Not by the run's id: a run that failed after its load is followed by one that loads nothing.
    """
    loaded_at, of_manifest = (
        [by_file[file.key]["loaded_at"] for file in one.files if file.key in by_file]
        for one in (sync, manifest)
    )
    return bool(of_manifest) and max(loaded_at, default=datetime.min) >= min(of_manifest)


def _job_of(sync: LandingManifest) -> int:
    return sync.job_id


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


CHECKS = [nothing_lost_between_raw_and_mart, refusals_are_few]
