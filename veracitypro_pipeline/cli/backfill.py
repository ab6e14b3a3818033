"""`vp backfill`: days loaded and built again from what S3 holds, without a new sync."""

from datetime import UTC, date, datetime

import click

from veracitypro_pipeline.cli.batch import Batch, Day, run_batch
from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.settings import Settings


@click.command(short_help="Load days again from what S3 holds of them.")
@click.option("--from", "first", type=Day(), required=True, help="The first as-of day.")
@click.option("--to", "last", type=Day(), required=True, help="The last as-of day, included.")
@click.option(
    "--full-refresh", is_flag=True, help="Make every table of STG and CORE anew from RAW."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def backfill(first: date, last: date, full_refresh: bool, as_json: bool) -> None:
    """Load days into RAW again from what S3 holds of them, and build what changes by that.

    Tables keep what RAW says unchanged; if one of them is wrong itself, add --full-refresh, which
    costs what the whole history does.

    Airbyte is not asked for a sync and no Keepa token is spent, so each day must have been synced
    once, by `vp run`. The days are run in order, each through landing, raw, stg, core, mart and bi;
    the first that is not good ends it, with exit code 1. Slack is not told.
    """
    from veracitypro_pipeline.partitions import check_as_of_date, days_between

    settings = Settings.load()
    if last < first:
        raise CannotDo(f"--to {last} lies before --from {first}: swap them.")
    now = datetime.now(UTC)
    try:
        for day in (first, last):
            check_as_of_date(day, now)
    except ValueError as error:
        raise CannotDo(str(error)) from error
    batch = Batch(days_between(first, last), is_from_s3=True, is_full_refresh=full_refresh)
    run_batch(batch, settings, as_json=as_json, as_list=True)
