"""What must hold for Keepa between RAW and MART, counted for the files of a day."""

from typing import Final

from veracitypro_pipeline.sources.source import Conservation, Equation

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

CONSERVATION: Final = Conservation(
    counts=COUNTS_OF_DAY,
    equations=(
        Equation(
            "RAW.KEEPA_RAW rows", ("raw_rows",), "STG accepted and refused", ("accepted", "refused")
        ),
        Equation(
            "products in STG", ("products",), "products in MART.DIM_PRODUCT", ("products_in_mart",)
        ),
        Equation("points in STG", ("points",), "changes counted in CORE", ("changes",)),
        Equation("days due", ("days_due",), "days in CORE", ("days_described",)),
    ),
    read_by_core="all_points",
    summary=(
        "RAW rows {raw_rows} = accepted {accepted} + refused {refused}; {points} points are"
        " {changes} changes in CORE; {days_due} days due are {days_described} days in CORE."
    ),
)
