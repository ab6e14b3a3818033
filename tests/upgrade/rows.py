"""`python -m tests.upgrade.rows --from REV`: a played week gives the same rows as at a commit.

For a change that must not change data. Plays the nights with REV, then plays them with the checkout
in a second home, which starts with the syncs and S3 files of the first and an empty warehouse. Then
compares every table and view of STG, CORE and MART row for row.

Takes some minutes. Exit code 1 if a night is not good or a table differs.
"""

import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
import duckdb

from tests.upgrade import FIRST, OF_ROWS, tables, versions, warehouse

SCHEMAS: Final = ("STG", "CORE", "MART")
# What a night keeps outside of the stand-ins: the copy makes its own.
NOT_COPIED: Final = shutil.ignore_patterns("warehouse", "dagster*", "dbt", "*.log", "*.lock")
SHOWN_ROWS: Final = 3


def differences(older: Path, newer: Path, table: str) -> list[str]:
    """What differs between the tables of two homes: columns, else the first rows of each side."""
    query = f"select columns(lambda c: {OF_ROWS}) from {table}"
    content: dict[str, Any] = {}
    for name, home in (("older", older), ("newer", newer)):
        with warehouse(home) as db:
            try:
                content[name] = db.sql(query).to_arrow_table()
            except duckdb.CatalogException:
                return [f"it is not in the {name} warehouse"]
    if content["older"].schema != content["newer"].schema:
        return ["its columns or their types differ"]
    lines = []
    with duckdb.connect() as db:
        for name, rows in content.items():
            db.register(name, rows)
        for this, other in (("older", "newer"), ("newer", "older")):
            only = db.execute(f"from {this} except all from {other}").fetchall()
            lines += [f"rows in the {this} one alone: {len(only)}", *map(str, only[:SHOWN_ROWS])]
    return lines


@click.command()
@click.option("--from", "revision", required=True, help="The commit whose rows are expected.")
@click.option("--nights", default=7, show_default=True, help="How many nights are played.")
def compare(revision: str, nights: int) -> None:
    """Compare the rows that nights leave with those of a commit."""
    nightly = ("run", "--days", str(nights), "--date", str(FIRST + timedelta(days=nights - 1)))
    with versions(revision, one_home=False) as (older, newer):
        is_good = older.vp(*nightly) and older.vp("down")
        shutil.copytree(older.home, newer.home, ignore=NOT_COPIED)
        is_good = is_good and newer.vp(*nightly)
        there, here = tables(older.home), tables(newer.home)
        compared = sorted(
            name for name in there.keys() | here.keys() if name.split(".")[0].upper() in SCHEMAS
        )
        differing = [name for name in compared if there.get(name) != here.get(name)]
        for name in differing:
            for line in differences(older.home, newer.home, name):
                click.echo(f"{name}: {line}")
    count = sum(rows for name, (rows, _) in here.items() if name in compared)
    same = len(compared) - len(differing)
    click.echo(f"{same} of {len(compared)} tables and views are as at {revision} ({count} rows).")
    sys.exit(0 if is_good and not differing else 1)


if __name__ == "__main__":
    compare()
