"""`python -m tests.upgrade --from REV`: an upgrade from a commit and a rollback to it, played.

A night with REV, one with the checkout, one with REV again, one with the checkout; in one home, in
the Python environment of the checkout. Then every table is made again from RAW and compared with
what the nights have left: whatever differs was lost or spoilt on the way.

Takes some minutes. Exit code 1 if a night is not good or a table differs.
"""

import sys
from datetime import timedelta

import click

from tests.upgrade import FIRST, tables, versions


@click.command()
@click.option("--from", "revision", required=True, help="The commit to upgrade from and return to.")
def upgrade(revision: str) -> None:
    """Play an upgrade and a rollback."""
    with versions(revision, one_home=True) as (older, newer):
        is_good = True
        for number, version in enumerate((older, newer, older, newer)):
            is_good &= version.vp("run", "--date", str(FIRST + timedelta(days=number)))
        left = tables(newer.home)
        last = str(FIRST + timedelta(days=3))
        is_good &= newer.vp("backfill", "--from", last, "--to", last, "--full-refresh")
        made = tables(newer.home)
    differing = sorted(
        name for name in left.keys() | made.keys() if left.get(name) != made.get(name)
    )
    for name in differing:
        click.echo(f"{name}: {left.get(name)} after the nights, {made.get(name)} from RAW")
    click.echo(f"{len(made) - len(differing)} of {len(made)} tables are those made from RAW.")
    sys.exit(0 if is_good and not differing else 1)


if __name__ == "__main__":
    upgrade()
