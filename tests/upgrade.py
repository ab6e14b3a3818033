"""`python -m tests.upgrade --from REV`: an upgrade from a commit and a rollback to it, played.

A night with REV, one with the checkout, one with REV again, one with the checkout; in one home, in
the Python environment of the checkout. Then every table is made again from RAW and compared with
what the nights have left: whatever differs was lost or spoilt on the way.

Takes some minutes. Exit code 1 if a night is not good or a table differs.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import click
import duckdb

from veracitypro_pipeline.settings import REPOSITORY_DIR

FIRST: Final = date(2025, 11, 20)
VP: Final = "from veracitypro_pipeline.cli.main import main; main()"
# What a run says of itself; each run adds to these, or says again what it found to do.
OF_RUNS: Final = ("PIPELINE_RUN_%", "CHANGES_OF_%", "BUILT_%", "COUNTED_LOADS", "LOAD_LEDGER")
# A file that is loaded again has these of its last load.
OF_ROWS: Final = "lower(c) not in ('load_id', 'loaded_at')"


@dataclass(frozen=True)
class Version:
    """A checkout of the project, and a home that it works in."""

    name: str
    repository: Path
    home: Path

    def vp(self, *arguments: str) -> bool:
        """Run a command of this version, print how it ended, and return whether it was good."""
        began = time.monotonic()
        outcome = subprocess.run(
            [sys.executable, "-c", VP, *arguments],
            cwd=self.home.parent,
            env={
                **os.environ,
                "VP_HOME": str(self.home),
                "PYTHONPATH": str(self.repository),
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        is_good = outcome.returncode == 0
        seconds = time.monotonic() - began
        said = (outcome.stdout + outcome.stderr).strip().splitlines()
        click.echo(
            f"{self.name:10} vp {' '.join(arguments)}: {outcome.returncode} ({seconds:.0f} s)"
        )
        for line in said[-1:] if is_good else said[-8:]:
            click.echo(f"           {line[:400]}")
        return is_good


def tables(home: Path) -> dict[str, tuple[int, int]]:
    """Rows and a hash of every table of data, by name."""
    with duckdb.connect(str(home / "warehouse" / "vp_dwh.duckdb"), read_only=True) as db:
        names = db.execute(
            "select table_schema || '.' || table_name from information_schema.tables where not ("
            + " or ".join(f"table_name like '{pattern}'" for pattern in OF_RUNS)
            + ") order by 1"
        ).fetchall()
        return {
            name: db.execute(
                "select count(*), bit_xor(hash(x))"
                f" from (select columns(lambda c: {OF_ROWS}) from {name}) as x"
            ).fetchall()[0]
            for (name,) in names
        }


@contextmanager
def versions(revision: str) -> Iterator[tuple[Version, Version]]:
    """The older one, cloned, and the checkout; their home is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="vp-upgrade-") as folder:
        clone, home = Path(folder) / "older", Path(folder) / "home"
        git = ["git", "-c", "advice.detachedHead=false"]
        subprocess.run([*git, "clone", "-q", "-n", REPOSITORY_DIR, clone], check=True)
        subprocess.run([*git, "-C", clone, "checkout", "-q", revision], check=True)
        newer = Version("checkout", REPOSITORY_DIR, home)
        try:
            yield Version(revision[:10], clone, home), newer
        finally:
            newer.vp("down")


@click.command()
@click.option("--from", "revision", required=True, help="The commit to upgrade from and return to.")
def upgrade(revision: str) -> None:
    """Play an upgrade and a rollback."""
    with versions(revision) as (older, newer):
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
