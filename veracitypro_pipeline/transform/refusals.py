"""The other gate before Power BI: few products have something refused, or missing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.lineage import DIM_PRODUCT, LANDING_PRODUCT
from veracitypro_pipeline.refusal_policy import refusal_severity
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted
from veracitypro_pipeline.transform.missing import MISSING, NAMED_PRODUCTS, missing_of, named

# Of each file: when it was loaded, records refused, and points and whole histories refused in those
# accepted, with the records that lack a history or an attribute for it.
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
),
attributes as (
    select
        fetches.source_file,
        count(distinct fetches.fetch_id) as products_with_refused_attributes
    from fetches
    where fetches.fetch_id in (
        select fetch_id from STG.STG_KEEPA_PRODUCT where refused_attribute_count > 0
        union all
        select fetch_id from STG.STG_KEEPA_OFFER where refused_attribute_count > 0
    )
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
    coalesce(series.products_without, 0) as products_without,
    coalesce(
        attributes.products_with_refused_attributes, 0
    ) as products_with_refused_attributes
from loads
left join refused on loads.source_file = refused.source_file
left join series on loads.source_file = series.source_file
left join attributes on loads.source_file = attributes.source_file
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

# Each attribute that was refused, without its positions, of how many products, and some of them.
REFUSED_ATTRIBUTES: Final = f"""
with refused as (
    select distinct
        fetches.asin,
        case
            when split_part(parts.series, ':', 1) = 'offers'
                then 'offers.' || split_part(parts.series, '.', 2)
            else
                split_part(split_part(parts.series, '[', 1), '.', 1)
                || split_part(split_part(parts.series, ']', 2), '[', 1)
        end as attribute
    from STG.STG_KEEPA_QUARANTINE as parts
    inner join STG.STG_KEEPA_FETCH as fetches
        on
            parts.source_file = fetches.source_file
            and parts.file_row_number = fetches.file_row_number
    where parts.source_file in ($files) and parts.scope = 'attribute'
),
counted as (
    select
        attribute,
        asin,
        count(*) over (partition by attribute) as products,
        row_number() over (partition by attribute order by asin) as place
    from refused
)
select attribute, asin, products
from counted
where place <= {NAMED_PRODUCTS}
order by attribute, asin
"""  # noqa: S608 - a number


@dg.asset_check(
    asset=DIM_PRODUCT,
    blocking=True,
    retry_policy=CHECK_RETRIES,
    additional_ins={"manifest": dg.AssetIn(key=LANDING_PRODUCT)},
)
@final_when_interrupted
def refusals_are_few(
    manifest: LandingManifest, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """What STG refused of the files loaded, or what products lack, is the fault of single products.

    If it warns: the named products keep their older figures. STG.STG_KEEPA_QUARANTINE has each
    refusal with its reason and text; what is missing, their answers had on an earlier night. If
    red: Keepa or Airbyte has changed the format, or leaves something out. Reports would freeze
    unnoticed, so Power BI is not refreshed. Compare a refused text, or an answer in RAW, with
    infra/airbyte and the data contract in the models' descriptions. A file of an earlier day that
    came late is judged too, as is an earlier day of which STG refused as much as is red, but
    neither holds up a report of this day.

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
    names = {"files": [file.key for file in manifest.files]}
    of_products = ""
    if of_day.refused_points or of_day.refused_histories:
        asins = [asin for (asin,) in warehouse.query(REFUSED_PRODUCTS, names).rows]
        of_products = f", of {named(asins, len(asins))}"
    if of_day.products_with_refused_attributes:
        rows = warehouse.query(REFUSED_ATTRIBUTES, names).dicts()
        of_products += f"; {attributes_said(rows)}"
    missing = missing_of(warehouse.query(MISSING, names).dicts())
    are_grave = of_day.are_grave or any(one.is_grave for one in missing)
    return dg.AssetCheckResult(
        passed=not of_day.total and not said and not missing,
        severity=dg.AssetCheckSeverity.ERROR if are_grave else dg.AssetCheckSeverity.WARN,
        description=" ".join(
            [
                f"Refused: {of_day.said}{of_products}.",
                *([f"Missing: {'; '.join(map(str, missing))}."] if missing else []),
                *said,
            ]
        ),
        metadata={
            **of_day._asdict(),
            "core_rows_refused": of_day.refused_points + of_day.refused_histories,
            "missing": len(missing),
        },
    )


class Refusals(NamedTuple):
    """What STG refused of some files; points and histories are those of accepted records.

    `products_without` are records that lack a history for it. A product has some thirty: what
    Keepa changes in one of each is few histories, and all products. As are
    `products_with_refused_attributes`.
    """

    records: int
    refused_records: int
    points: int
    refused_points: int
    histories: int
    refused_histories: int
    products_without: int
    products_with_refused_attributes: int

    @property
    def total(self) -> int:
        return (
            self.refused_records
            + self.refused_points
            + self.refused_histories
            + self.products_with_refused_attributes
        )

    @property
    def are_grave(self) -> bool:
        """More than single products are at fault."""
        return dg.AssetCheckSeverity.ERROR in (
            refusal_severity(self.refused_records, self.records),
            refusal_severity(self.refused_points, self.points),
            refusal_severity(self.refused_histories, self.histories),
            refusal_severity(self.products_without, self.records),
            refusal_severity(self.products_with_refused_attributes, self.records),
        )

    @property
    def said(self) -> str:
        return (
            f"{self.refused_records} of {self.records} records, {self.refused_points} of"
            f" {self.points} points, {self.refused_histories} of {self.histories} histories"
            + (
                f", attributes of {of_them} of {self.records} products"
                if (of_them := self.products_with_refused_attributes)
                else ""
            )
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


def attributes_said(rows: Iterable[Mapping[str, Any]]) -> str:
    """Which attributes of which products; `rows` are those of `REFUSED_ATTRIBUTES`."""
    return "; ".join(
        f"{name} of {named([row['asin'] for row in of], int(count))}"
        for (name, count), of in groupby(rows, key=itemgetter("attribute", "products"))
    )


def _job_of(sync: LandingManifest) -> int:
    return sync.job_id


CHECKS = [refusals_are_few]
