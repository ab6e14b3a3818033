"""A night that is killed again and again has the tables of an undisturbed night.

Each run dies at another point, as by `kill -9`, and the next one continues. At the end the
warehouse is restored, the day is run once undisturbed on the same sync, and every table is
compared.
"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from signal import SIGINT, SIGKILL
from typing import Any, Final

import pytest

from tests.support.home import SECOND, Home
from tests.support.killing import environment_of
from tests.support.killing.points import BEFORE_ITS_ROW, OF_DBT, OF_THE_RUN

pytestmark = pytest.mark.xdist_group("nights")

DAY: Final = SECOND + timedelta(days=9)
# Columns about the load of rows, not about their content.
ABOUT_THE_LOAD: Final = "lambda c: lower(c) not in ('load_id', 'loaded_at')"


@pytest.fixture(scope="module")
def home(nights_home: Home, nights: dict[str, Any]) -> Home:
    """The home that the group shares."""
    return nights_home


@pytest.fixture
def before(home: Home) -> Iterator[Path]:
    """A copy of the warehouse file."""
    file = home.path / "warehouse" / "vp_dwh.duckdb"
    copy = file.with_suffix(".before")
    shutil.copyfile(file, copy)
    yield copy
    copy.unlink(missing_ok=True)


def contents(home: Home) -> dict[str, Any]:
    """Row count and hash of every table that a run builds."""
    names = home.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema in ('RAW', 'STG', 'CORE', 'MART') or table_name = 'LOAD_LEDGER'"
        " or table_name like '_BUILT_%' order by 1"
    )
    return {
        name: home.query(
            f"select count(*), sum(hash(row)) from"
            f" (select columns({ABOUT_THE_LOAD}) from {name}) as row"
        )[0]
        for (name,) in names
    }


def test_a_night_that_is_killed_at_every_point_has_the_tables_of_a_calm_one(
    home: Home, before: Path, tmp_path: Path
) -> None:
    jobs = len(home.state("airbyte.json"))
    of_day = ("--date", str(DAY))
    for point in OF_THE_RUN:
        outcome = home.vp("run", *of_day, **environment_of(tmp_path, point))
        assert outcome.returncode == -SIGKILL, point.what

    # Meanwhile another run wants the home, and a person looks at it. When dbt dies, only its step
    # is retried; then the run itself dies.
    process = home.start("run", *of_day, **environment_of(tmp_path, OF_DBT, BEFORE_ITS_ROW))
    assert process.stderr is not None
    next(line for line in process.stderr if "products from" in line)
    beside = home.start("backfill", "--from", str(DAY), "--to", str(DAY))
    assert beside.stderr is not None
    next(line for line in beside.stderr if "Another run is in progress" in line)
    beside.send_signal(SIGINT)
    read = home.vp("sql", "select count(*) as n from RAW.KEEPA_RAW", "--format", "csv")
    assert read.returncode == 0, read.stderr
    _, said = beside.communicate()
    assert said == "vp: interrupted.\n"
    process.communicate()
    assert process.returncode == -SIGKILL
    assert OF_DBT.marker(tmp_path).exists()

    killed = contents(home)
    assert [job["status"] for job in home.state("airbyte.json")[jobs:]] == ["succeeded"]
    before.replace(home.path / "warehouse" / "vp_dwh.duckdb")
    # A night is for the tables: it goes on although no program reads what it prints.
    assert home.unheard("run", *of_day) == 0

    assert killed == contents(home)
    assert home.query(
        "select status, count(*) from MONITORING.PIPELINE_RUN_MONITORING"
        f" where as_of_date = '{DAY}' group by all order by 1"
    ) == [("failure", len(OF_THE_RUN)), ("success", 2)]
