"""`vp backfill`: loads and builds days again from the files in S3, without a sync."""

from datetime import UTC, date, datetime

import click

from veracitypro_pipeline.cli.batch import Batch, Day, run_batch
from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.settings import Settings


@click.command(short_help="Load days again from their files in S3.")
@click.option("--from", "first", type=Day(), required=True, help="The first as-of day.")
@click.option("--to", "last", type=Day(), required=True, help="The last as-of day, included.")
@click.option("--full-refresh", is_flag=True, help="Rebuild every table of STG and CORE from RAW.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def backfill(first: date, last: date, full_refresh: bool, as_json: bool) -> None:
    """Load days into RAW again from their files in S3, and rebuild the rows that change.

    Rows whose data in RAW has not changed stay. If a table itself is wrong, add --full-refresh,
    which costs as much as the whole history.

    No sync is started and no Keepa token is spent, so `vp run` must have synced each day before.
    The days are run in order, each through landing, raw, stg, core, mart and bi. The first that is
    not good ends the command with exit code 1. Nothing is posted to Slack.
    """
    from veracitypro_pipeline.partitions import check_as_of_date, days_between

    settings = Settings.load()
    if last < first:
        raise CannotDo(f"--to {last} is before --from {first}: swap them.")
    now = datetime.now(UTC)
    try:
        for day in (first, last):
            check_as_of_date(day, now)
    except ValueError as error:
        raise CannotDo(str(error)) from error
    batch = Batch(days_between(first, last), is_from_s3=True, is_full_refresh=full_refresh)
    run_batch(batch, settings, as_json=as_json, as_list=True)
