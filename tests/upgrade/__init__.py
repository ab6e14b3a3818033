"""Two versions of the project beside each other: a commit and the checkout, each run by `vp`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import click
import duckdb

from veracitypro_pipeline.settings import REPOSITORY_DIR

FIRST: Final = date(2025, 11, 20)
VP: Final = "from veracitypro_pipeline.cli.main import main; main()"
# MONITORING has the state of runs and builds, which each run changes.
OF_DATA: Final = ("RAW", "STG", "CORE", "MART")
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


def warehouse(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "warehouse" / "vp_dwh.duckdb"), read_only=True)


def tables(home: Path) -> dict[str, tuple[int, int]]:
    """Rows and a hash of every table of data, by name."""
    with warehouse(home) as db:
        names = db.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            f" where upper(table_schema) in {OF_DATA} order by 1"
        ).fetchall()
        return {
            name: db.execute(
                "select count(*), bit_xor(hash(x))"
                f" from (select columns(lambda c: {OF_ROWS}) from {name}) as x"
            ).fetchall()[0]
            for (name,) in names
        }


@contextmanager
def versions(revision: str, *, one_home: bool) -> Iterator[tuple[Version, Version]]:
    """The older one, cloned, and the checkout; their homes are deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="vp-upgrade-") as folder:
        clone, home = Path(folder) / "older", Path(folder) / "home"
        git = ["git", "-c", "advice.detachedHead=false"]
        subprocess.run([*git, "clone", "-q", "-n", REPOSITORY_DIR, clone], check=True)
        subprocess.run([*git, "-C", clone, "checkout", "-q", revision], check=True)
        older = Version(revision[:10], clone, home)
        newer = Version("checkout", REPOSITORY_DIR, home if one_home else Path(folder) / "newer")
        try:
            yield older, newer
        finally:
            for home in {older.home, newer.home}:
                Version("checkout", REPOSITORY_DIR, home).vp("down")
