"""The load into Snowflake as statements: exactly the manifest's files, whatever they are called."""

from datetime import date, datetime, timedelta, timezone

import pytest
import sqlglot

from veracitypro_pipeline.raw.on_snowflake import (
    CREATE_STAGING,
    FILES_PER_COPY,
    load_statements,
)
from veracitypro_pipeline.raw.tables import LEDGER_OF_FILES, ROWS_OF_FILES, Load, miscounted, on
from veracitypro_pipeline.resources.warehouse import on_snowflake
from veracitypro_pipeline.resources.warehouse.protocol import relations_of
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandedFile
from veracitypro_pipeline.statement import Statement, positional

PREFIX = "env=dev/source=keepa/stream=product_raw/"


def load_of(*names: str) -> Load:
    files = [
        LandedFile(
            key=PREFIX + name,
            etag="e" * 32,
            size_bytes=9,
            lines=2,
            sync_ids={},
            # In another zone than the ledger's, which is UTC.
            arrived_at=datetime(2026, 1, 31, 19, 29, 5, tzinfo=timezone(timedelta(hours=-5))),
        )
        for name in names
    ]
    return Load(PRODUCT_RAW, files, date(2026, 1, 31), "run", datetime(2026, 2, 1, 0, 30))


def test_the_ledger_gets_the_time_of_arrival_in_utc() -> None:
    bound = [str(positional(one)[1]) for one in load_statements(load_of("a.gz"), PREFIX)]
    assert any("00:29:05" in values for values in bound), bound


def test_every_statement_is_snowflake_sql() -> None:
    names = {"files": ["a", "b"]}
    for statement in (
        CREATE_STAGING,
        *load_statements(load_of("a.gz"), PREFIX),
        Statement(LEDGER_OF_FILES, names),
        Statement(on(PRODUCT_RAW, ROWS_OF_FILES), names),
        Statement(on_snowflake._USAGE_OF_RUN, {"run_id": "r"}),
        relations_of("RAW"),
    ):
        (parsed,) = sqlglot.parse(positional(statement)[0], dialect="snowflake")
        assert parsed is not None
        assert not isinstance(parsed, sqlglot.exp.Command), statement.sql


def copies(load: Load) -> list[str]:
    statements = load_statements(load, PREFIX)
    return [statement.sql for statement in statements if "copy into" in statement.sql]


def test_a_copy_names_no_more_files_than_snowflake_takes() -> None:
    load = load_of(*(f"{number}.gz" for number in range(2 * FILES_PER_COPY + 1)))
    assert [sql.count(".gz'") for sql in copies(load)] == [FILES_PER_COPY, FILES_PER_COPY, 1]


def test_a_file_name_stays_a_name() -> None:
    (sql,) = copies(load_of("it's; drop table RAW.KEEPA_RAW --.gz", "back\\slash.gz", "\u7fbd.gz"))
    (parsed,) = sqlglot.parse(sql, dialect="snowflake")
    assert parsed is not None
    literals = {literal.this for literal in parsed.find_all(sqlglot.exp.Literal)}
    assert "it's; drop table RAW.KEEPA_RAW --.gz" in literals
    assert "back\\slash.gz" in literals
    assert "\u7fbd.gz" in literals


@pytest.mark.parametrize("name", ["a\n.gz", "a\x00.gz", "x" * 1_025])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be written into a statement"):
        load_statements(load_of(name), PREFIX)


@pytest.mark.parametrize("key", ["env=prod/source=keepa/stream=product_raw/a.gz", PREFIX])
def test_a_file_outside_of_the_stage_is_refused(key: str) -> None:
    file = LandedFile(key=key, etag="e", size_bytes=9, lines=2, sync_ids={})
    with pytest.raises(ValueError, match=r"does not lie under .* RAW\.STAGE_KEEPA"):
        load_statements(load_of()._replace(files=[file]), PREFIX)


def test_each_file_is_counted_by_itself() -> None:
    load = load_of("a.gz", "b.gz", "c.gz")
    assert miscounted(load, {f"{PREFIX}a.gz": 2, f"{PREFIX}b.gz": 3}) == [
        f"{PREFIX}b.gz: 2 lines counted, 3 rows loaded",
        f"{PREFIX}c.gz: 2 lines counted, 0 rows loaded",
    ]
