"""The warehouse resource with wrong statements, a busy file and a damaged one."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb
import pytest
from dagster._grpc.client import DEFAULT_SENSOR_GRPC_TIMEOUT

from tests.support.settings import fixed
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.resources.warehouse.duckdb_turn import Gate
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import WarehouseRejectedError
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Statement


def warehouse(path: Path) -> WarehouseResource:
    return WarehouseResource(settings=fixed(Settings.load(warehouse_file=path)))


def test_a_wrong_statement_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match="DuckDB rejects a statement"):
        warehouse(tmp_path / "dwh.duckdb").transact([Statement("select * from nowhere")])


def test_a_reader_reaches_no_other_file(tmp_path: Path) -> None:
    here = warehouse(tmp_path / "dwh.duckdb")
    here.transact([Statement("create table kept as select 1 as x")])
    for sql in (
        f"copy kept to '{tmp_path}/stolen.csv'",
        f"select * from read_text('{tmp_path}/dwh.duckdb')",
    ):
        with pytest.raises(PermanentFailure, match="DuckDB rejects a statement"):
            here.query(sql)
    assert [file.name for file in tmp_path.iterdir()] == ["dwh.duckdb"]


ENDLESS = "select count(*) from range(10000000) as a, range(10000000) as b where a.range < b.range"


def test_a_query_that_takes_too_long_is_cancelled_so_that_runs_can_write(tmp_path: Path) -> None:
    here = DuckDBWarehouse(tmp_path / "dwh.duckdb", read_seconds=0.05)
    duckdb.connect(str(here.path)).close()
    with pytest.raises(WarehouseRejectedError, match="takes longer than"), here.read(ENDLESS):
        pass
    duckdb.connect(str(here.path)).close()


def test_no_file_is_open_while_rows_are_read(tmp_path: Path) -> None:
    """A person may leave a pager open for any time."""
    here = DuckDBWarehouse(tmp_path / "dwh.duckdb")
    duckdb.connect(str(here.path)).close()
    with here.read("select range as n from range(100000)", first=25_000) as answer:
        duckdb.connect(str(here.path)).close()
        assert next(answer.rows) == (0,)
        assert sum(1 for _ in answer.rows) == 24_999
        assert (answer.columns, answer.total) == (["n"], 100_000)


def test_values_are_those_of_the_database(tmp_path: Path) -> None:
    here = DuckDBWarehouse(tmp_path / "dwh.duckdb")
    duckdb.connect(str(here.path)).close()
    asked = """
        select interval 3 day as a, map {'k': 1} as b, [1, null] as c, {'x': 'y'} as d, 1.50 as e,
            null as f, sum(5) as g, timestamptz '2026-01-31 00:10:00+00' as h
    """
    with here.read(asked) as answer:
        ((a, b, c, d, e, f, g, h),) = answer.rows
    assert (a, b, c, d) == (timedelta(days=3), {"k": 1}, [1, None], {"x": "y"})
    assert (str(e), f, g, str(h)) == ("1.50", None, Decimal(5), "2026-01-31 00:10:00+00:00")


def test_a_wait_for_a_busy_warehouse_is_logged_with_its_cause(tmp_path: Path) -> None:
    """Another process must hold the file, because one process can open it twice."""
    path = tmp_path / "dwh.duckdb"
    holds = (
        "import duckdb, sys; kept = duckdb.connect(sys.argv[1]); print('held', flush=True);"
        " sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        said: list[str] = []

        def hear(text: str, release: Callable[[], None] = holder.kill) -> None:
            said.append(text)
            release()

        with DuckDBWarehouse(path, say=hear).read("select 1") as answer:
            assert list(answer.rows) == [(1,)]
    (sentence,) = said
    assert sentence.startswith(f"Waiting up to 60 s for the warehouse {path}, which ")
    assert f"(PID {holder.pid}) is using" in sentence


READER: Final = """
import sys
from pathlib import Path
import duckdb
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
here = DuckDBWarehouse(Path(sys.argv[1]), say=lambda _: print("waits", flush=True))
with here.reading() as session:
    print(session.query("select count(*) from kept").rows[0][0], flush=True)
    sys.stdin.readline()
"""


def test_a_writer_that_waits_goes_before_readers_that_come_later(tmp_path: Path) -> None:
    """Three successive readers once kept a night out until it failed."""
    path = tmp_path / "dwh.duckdb"
    here = DuckDBWarehouse(path)
    with here.transaction() as transaction:
        transaction.run(Statement("create table kept as select 1 as x"))

    def reader() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", READER, str(path)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def write() -> None:
        with here.transaction() as transaction:
            transaction.run(Statement("insert into kept values (2)"))

    with reader() as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "1\n"
        writer = threading.Thread(target=write)
        writer.start()
        gate = Gate(tmp_path, is_writer=False)
        while gate.try_to_take():
            gate.let_others_pass()
        with reader() as later:
            assert later.stdout is not None
            assert later.stdout.readline() == "waits\n"
            first.kill()
            writer.join()
            assert later.stdout.readline() == "2\n"
            later.kill()
        gate.close()
    assert [file.name for file in tmp_path.iterdir()] == ["dwh.duckdb"]


def test_a_sensors_tick_waits_for_the_file_for_part_of_its_time(tmp_path: Path) -> None:
    """Its three statements may each wait in vain."""
    whole = warehouse(tmp_path / "dwh.duckdb")
    opened = whole.in_a_tick()._open()
    assert isinstance(opened, DuckDBWarehouse)
    assert 3 * opened.lock_wait_seconds < DEFAULT_SENSOR_GRPC_TIMEOUT
    assert opened.path == tmp_path / "dwh.duckdb"


def test_a_file_that_the_disk_has_damaged_is_named_with_the_way_out(tmp_path: Path) -> None:
    here = DuckDBWarehouse(tmp_path / "dwh.duckdb")
    with here.transaction() as transaction:
        transaction.run(Statement("create table kept as select range as x from range(100000)"))
    header = 3 * 4096
    content = here.path.read_bytes()
    here.path.write_bytes(content[:header] + bytes(len(content) - header))
    with pytest.raises(
        WarehouseRejectedError, match=r"dwh\.duckdb is damaged \(.*\): put a copy of it"
    ):
        here.query("select sum(x) from kept")
