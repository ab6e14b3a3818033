"""`vp run`: one daily batch, or several in order, as real Dagster runs in this process."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from veracitypro_pipeline.cli.batch import Batch, Day, run_batch
from veracitypro_pipeline.cli.main import CannotDo, common_options
from veracitypro_pipeline.settings import Settings


@click.command(short_help="Run the daily batch through the whole graph.")
@click.option("--date", "day", type=Day(), help="The as-of day  [default: yesterday, UTC]")
@click.option(
    "--days",
    type=click.IntRange(min=1),
    help="Run this many days in order; the last one is --date.",
)
@click.option(
    "--products",
    type=click.Path(path_type=Path),
    help="Folder of Keepa payload files (JSON, JSON Lines, also as .gz) in place of the generated"
    " catalogue. If a product has several fetches, each day gets the next one.",
)
@click.option(
    "--asins",
    type=click.IntRange(min=1),
    help="Number of products of the generated catalogue: the tracked ones and invented"
    " competitors.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@common_options
def run(
    day: date | None, days: int | None, products: Path | None, asins: int | None, as_json: bool
) -> None:
    """Run the daily batch through the whole graph: Airbyte, S3, RAW, dbt, Power BI.

    In `local` it needs no account: the stack is started if it is not running. Running a day again
    changes no table. The exit code is 0 only if the run succeeded and no blocking check is red.
    """
    settings = Settings.load()
    as_of_dates = _as_of_dates(day, days or 1)
    if products is not None and asins is not None:
        raise CannotDo("--asins sets the size of the catalogue that --products replaces: use one.")
    if (products is not None or asins is not None) and settings.environment != "local":
        option = "--asins" if products is None else "--products"
        raise CannotDo(
            f"{option} feeds the local Keepa, but VP_ENVIRONMENT is {settings.environment}:"
            " leave it out, or set VP_ENVIRONMENT=local."
        )
    batch = Batch(as_of_dates, products or asins or 0)
    run_batch(batch, settings, as_json=as_json, as_list=days is not None)


def _as_of_dates(last: date | None, count: int) -> list[date]:
    """The days to run, oldest first."""
    from veracitypro_pipeline.partitions import check_as_of_date, newest_as_of_date

    now = datetime.now(UTC)
    end = last or newest_as_of_date(now)
    try:
        check_as_of_date(end, now)
        return [
            check_as_of_date(end - timedelta(days=back), now) for back in reversed(range(count))
        ]
    except (ValueError, OverflowError) as error:
        raise CannotDo(str(error)) from error
