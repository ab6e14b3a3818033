"""Checks across the dbt stages: no record is lost between RAW and STG, no mart is empty.

What holds inside one model is a dbt test beside it; these count over stages and report the counts.
"""

from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import MART, STG, model_key
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.warehouse import WarehouseResource

FETCH: Final = model_key(STG, "stg_keepa_fetch")
DIM_PRODUCT: Final = model_key(MART, "dim_product")

_RECORDS_OF_DAY: Final = """
select
    (select count(*) from RAW.KEEPA_RAW where as_of_date = $as_of_date) as raw_rows,
    (
        select count(*)
        from STG.STG_KEEPA_FETCH
        where as_of_date = $as_of_date
    ) as accepted,
    (
        select count(*)
        from STG.STG_KEEPA_QUARANTINE
        where as_of_date = $as_of_date and scope = 'record'
    ) as refused
"""


@dg.asset_check(asset=FETCH, blocking=True, partitions_def=daily_as_of)
def stg_accounts_for_every_record(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """Every row of RAW of the day is a fetch in STG or stands in quarantine with its reason.

    If red: products of the day are missing in every table after STG. Compare RAW.KEEPA_RAW with
    STG.STG_KEEPA_FETCH by source_file and file_row_number.
    """
    as_of_date = context.partition_time_window.start.date()
    counts = warehouse.query(_RECORDS_OF_DAY, {"as_of_date": as_of_date}).dicts()[0]
    lost = counts["raw_rows"] - counts["accepted"] - counts["refused"]
    return dg.AssetCheckResult(
        passed=lost == 0,
        description=(
            f"RAW holds {counts['raw_rows']} rows of {as_of_date}: {counts['accepted']} accepted,"
            f" {counts['refused']} refused, {lost} unexplained."
        ),
        metadata=counts,
    )
