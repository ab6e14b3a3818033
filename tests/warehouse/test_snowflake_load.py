"""Loading landing files into RAW on Snowflake gives the same table as on DuckDB."""

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.support.warehouse.landing_lines import LINES
from tests.support.warehouse.site import ARRIVED_AT, DAY, Site
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.raw.tables import LEDGER_OF_FILES, ROWS_OF_FILES, on
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

pytestmark = pytest.mark.xdist_group("snowflake")

ROWS = (
    "select source_file, file_row_number, raw_line, _airbyte_raw_id, _airbyte_extracted_at,"
    " as_of_date, load_id, loaded_at, payload is null as is_refused"
    " from RAW.KEEPA_RAW order by source_file, file_row_number"
)


@pytest.fixture
def empty(snowflake: Site, duckdb_site: Site) -> Iterator[tuple[Site, Site]]:
    for site in (snowflake, duckdb_site):
        site.forget()
    yield snowflake, duckdb_site
    for site in (snowflake, duckdb_site):
        site.forget()


def test_raw_is_the_same_on_both_engines(empty: tuple[Site, Site]) -> None:
    tables, payloads, ledgers = [], [], []
    for site in empty:
        site.land_and_load({"a.jsonl.gz": LINES, "sub/it's b.jsonl.gz": LINES[:2]})
        tables.append(site.rows(ROWS))
        payloads.append(
            [
                None if text is None else json.loads(text)
                for (text,) in site.query(
                    "select cast(payload as varchar) from RAW.KEEPA_RAW"
                    " order by source_file, file_row_number"
                )
            ]
        )
        ledgers.append(
            site.rows(
                "select source_file, etag, as_of_date, lines, loaded, quarantined, load_id,"
                " arrived_at from MONITORING.LOAD_LEDGER order by source_file"
            )
        )
    assert tables[0] == tables[1]
    assert payloads[0] == payloads[1]
    assert ledgers[0] == ledgers[1]
    assert len(tables[0]) == len(LINES) + 2
    assert tables[0][0][4] == datetime(2026, 1, 1)
    assert [row[2] for row in tables[0][6:9]] == ["", " ", "{"]
    assert [row[3:6] for row in ledgers[0]] == [(26, 11, 15), (2, 2, 0)]
    assert [row[4] for row in tables[0][20:23]] == [datetime(2026, 1, 1)] * 3
    assert {row[7] for row in ledgers[0]} == {ARRIVED_AT.replace(tzinfo=None)}


def test_a_changed_file_replaces_what_it_brought_and_nothing_else(
    empty: tuple[Site, Site],
) -> None:
    snowflake, _ = empty
    snowflake.land_and_load({"a.gz": LINES[:3], "b.gz": LINES[:1]}, "first")
    snowflake.land_and_load({"a.gz": LINES[:1]}, "second")
    prefix = PRODUCT_RAW.prefix(snowflake.settings.environment)
    rows = snowflake.query("select source_file, load_id from RAW.KEEPA_RAW order by 1")
    assert rows == [(f"{prefix}a.gz", "second"), (f"{prefix}b.gz", "first")]
    assert len(snowflake.query("select * from MONITORING.LOAD_LEDGER")) == 2


def test_a_file_may_be_loaded_again_after_any_time(empty: tuple[Site, Site]) -> None:
    """Snowflake remembers loaded files for 64 days and would skip it."""
    snowflake, _ = empty
    file = snowflake.land("a.gz", LINES[:2])
    for load_id in ("first", "second"):
        snowflake.load([file], load_id)
    rows = snowflake.query("select load_id, count(*) from RAW.KEEPA_RAW group by load_id")
    assert rows == [("second", 2)]


def test_a_file_that_changed_after_it_was_counted_undoes_the_load(
    empty: tuple[Site, Site],
) -> None:
    snowflake, _ = empty
    snowflake.land_and_load({"a.gz": LINES[:2]}, "first")
    before = snowflake.query(ROWS)
    counted = [snowflake.land("a.gz", LINES[:3]), snowflake.land("b.gz", LINES[:1])]

    snowflake.land("a.gz", LINES[:4])
    with pytest.raises(PermanentFailure, match=r"a\.gz: 3 lines counted, 4 rows loaded"):
        snowflake.load(counted, "second")
    assert snowflake.query(ROWS) == before

    # As many lines, but different ones.
    snowflake.land("a.gz", LINES[1:4])
    with pytest.raises(PermanentFailure, match=r"a\.gz has changed since it was counted"):
        snowflake.load(counted, "second")
    assert snowflake.query(ROWS) == before


def test_a_file_that_is_gone_undoes_the_load(empty: tuple[Site, Site]) -> None:
    snowflake, _ = empty
    file = snowflake.land("gone.gz", LINES[:1])
    snowflake.client.delete_object(Bucket=snowflake.settings.raw_bucket, Key=file.key)
    with pytest.raises(PermanentFailure, match=r"gone\.gz' was not found"):
        snowflake.load([file])
    assert not snowflake.query("select * from RAW.KEEPA_RAW")


def test_the_queries_of_the_stage_run_on_snowflake(empty: tuple[Site, Site]) -> None:
    snowflake, _ = empty
    file = snowflake.land("a.gz", LINES)
    snowflake.load([file])
    names = {"files": [file.key, "no such file"]}
    warehouse = snowflake.warehouse
    assert warehouse.query(LEDGER_OF_FILES, names).rows == [(file.key, file.etag, DAY)]
    assert warehouse.query(on(PRODUCT_RAW, ROWS_OF_FILES), names).dicts() == [
        {"source_file": file.key, "raw_rows": 26, "refused": 15}
    ]
    assert warehouse.query(on(PRODUCT_RAW, ROWS_OF_FILES), {"files": []}).rows == []
    assert warehouse.row_counts("RAW") == {"keepa_raw": 26}
