"""The warehouse resource where it cannot do what is asked: said once, and not tried again."""

from pathlib import Path

import pytest

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.resources.warehouse import WarehouseResource
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Statement

from .fixed_settings import fixed


def warehouse(path: Path) -> WarehouseResource:
    return WarehouseResource(settings=fixed(Settings.load(warehouse_file=path)))


def test_a_wrong_statement_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match="DuckDB refuses a statement"):
        warehouse(tmp_path / "dwh.duckdb").transact([Statement("select * from nowhere")])


def test_a_reader_reaches_no_other_file(tmp_path: Path) -> None:
    here = warehouse(tmp_path / "dwh.duckdb")
    here.transact([Statement("create table kept as select 1 as x")])
    for sql in (
        f"copy kept to '{tmp_path}/stolen.csv'",
        f"select * from read_text('{tmp_path}/dwh.duckdb')",
    ):
        with pytest.raises(PermanentFailure, match="DuckDB refuses a statement"):
            here.query(sql)
    assert [file.name for file in tmp_path.iterdir()] == ["dwh.duckdb"]
