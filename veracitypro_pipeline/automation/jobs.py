"""The only job: the whole graph for one as-of day."""

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME
from veracitypro_pipeline.partitions import ABOUT_PARTITIONS

vp_daily_batch = dg.define_asset_job(
    JOB_NAME,
    selection=dg.AssetSelection.all(),
    description=(
        "The nightly batch: Airbyte syncs Keepa into S3, the files are loaded into RAW, dbt builds"
        " STG, CORE and MART, Power BI refreshes. One partition per as-of day."
        f"\n\n{ABOUT_PARTITIONS}"
    ),
)
