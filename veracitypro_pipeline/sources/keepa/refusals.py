"""What STG refused of Keepa's answers, by landing file."""

from collections.abc import Mapping
from typing import Final

from veracitypro_pipeline.sources.keepa.missing import MISSING
from veracitypro_pipeline.sources.source import NAMED_PRODUCTS, Examples, Refusals

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
REFUSED_PRODUCTS: Final = f"""
with refused as (
    select distinct fetches.asin
    from STG.STG_KEEPA_FETCH as fetches
    inner join STG.STG_KEEPA_SERIES as series on fetches.fetch_id = series.fetch_id
    where
        fetches.source_file in ($files)
        and (series.refused_count > 0 or series.refusal_reason is not null)
),
counted as (
    select
        asin,
        count(*) over () as products,
        row_number() over (order by asin) as place
    from refused
)
select cast(null as varchar) as what, asin, products
from counted
where place <= {NAMED_PRODUCTS}
order by asin
"""  # noqa: S608 - a number

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
        end as what
    from STG.STG_KEEPA_QUARANTINE as parts
    inner join STG.STG_KEEPA_FETCH as fetches
        on
            parts.source_file = fetches.source_file
            and parts.file_row_number = fetches.file_row_number
    where parts.source_file in ($files) and parts.scope = 'attribute'
),
counted as (
    select
        what,
        asin,
        count(*) over (partition by what) as products,
        row_number() over (partition by what order by asin) as place
    from refused
)
select what, asin, products
from counted
where place <= {NAMED_PRODUCTS}
order by what, asin
"""  # noqa: S608 - a number


def summary(counts: Mapping[str, int]) -> str:
    """What was refused, of how many; the counts are those of `REFUSALS_OF_FILES`."""
    with_attributes = (
        ", attributes of {products_with_refused_attributes} of {records} products"
        if counts["products_with_refused_attributes"]
        else ""
    )
    text = (
        "{refused_records} of {records} records, {refused_points} of {points} points,"
        " {refused_histories} of {histories} histories" + with_attributes
    )
    return text.format_map(counts)


REFUSALS: Final = Refusals(
    of_files=REFUSALS_OF_FILES,
    refused=(
        "refused_records",
        "refused_points",
        "refused_histories",
        "products_with_refused_attributes",
    ),
    of_core=("refused_points", "refused_histories"),
    # A product has about thirty histories: a format change in one kind is a thirtieth of all
    # histories, yet hits every product. The same goes for attributes.
    shares=(
        ("refused_records", "records"),
        ("refused_points", "points"),
        ("refused_histories", "histories"),
        ("products_without", "records"),
        ("products_with_refused_attributes", "records"),
    ),
    summary=summary,
    examples=(
        Examples(("refused_points", "refused_histories"), REFUSED_PRODUCTS),
        Examples(("products_with_refused_attributes",), REFUSED_ATTRIBUTES),
    ),
    missing=MISSING,
)
