"""Lines into RAW on DuckDB: each line, whatever it holds, and however often it is loaded."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from veracitypro_pipeline.raw.engines import line_batches
from veracitypro_pipeline.raw.on_duckdb import create_tables, load_statements
from veracitypro_pipeline.raw.tables import FILES_UNLIKE_LEDGER, ROWS_OF_FILES, Load, on
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.resources.warehouse.protocol import (
    WarehouseMissingError,
    WarehouseRejectedError,
)
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandedFile
from veracitypro_pipeline.statement import Statement

DAY = date(2026, 1, 31)
ARRIVED_AT = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)


def a_line(**data: Any) -> bytes:
    return json.dumps(
        {
            "_airbyte_raw_id": "id",
            "_airbyte_extracted_at": 1_767_225_600_000,
            "_airbyte_meta": {"sync_id": 7, "changes": []},
            "_airbyte_data": data,
        }
    ).encode()


class Raw:
    """An empty warehouse and a folder of landing files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warehouse = DuckDBWarehouse(folder / "dwh.duckdb", lock_wait_seconds=0.2)
        self.run(create_tables(PRODUCT_RAW))

    def load(self, files: dict[str, list[bytes]], load_id: str = "run") -> None:
        landed, paths = [], []
        for number, (key, lines) in enumerate(files.items()):
            path = self.folder / f"{number}.gz"
            path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
            paths.append(path)
            landed.append(
                LandedFile(
                    key=key,
                    etag=f"{hash(tuple(lines))}",
                    size_bytes=9,
                    lines=len(lines),
                    sync_ids={},
                    arrived_at=ARRIVED_AT,
                )
            )
        load = Load(
            PRODUCT_RAW, landed, as_of_date=DAY, load_id=load_id, loaded_at=datetime(2026, 2, 1)
        )
        self.run(load_statements(load), {"landing_lines": line_batches(landed, paths)})

    def run(
        self, statements: Sequence[Statement], relations: Mapping[str, Any] | None = None
    ) -> None:
        with self.warehouse.transaction(relations=relations) as transaction:
            for statement in statements:
                transaction.run(statement)

    def rows(self) -> list[tuple[Any, ...]]:
        return self.warehouse.query(
            "select source_file, file_row_number, payload::varchar, raw_line, as_of_date,"
            " _airbyte_raw_id, _airbyte_extracted_at from RAW.KEEPA_RAW order by all"
        ).rows


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    return Raw(tmp_path)


def test_a_record_is_kept_as_json_with_its_envelope(raw: Raw) -> None:
    raw.load({"a.gz": [a_line(asin="061958549X", csv=None)]})
    (row,) = raw.rows()
    assert row == (
        "a.gz",
        1,
        '{"asin":"061958549X","csv":null}',
        None,
        DAY,
        "id",
        datetime(2026, 1, 1),
    )


@pytest.mark.parametrize(
    ("extracted_at", "read"),
    [
        (1_767_225_600_000, datetime(2026, 1, 1)),
        ("1767225600000", datetime(2026, 1, 1)),
        ("2026-01-01T01:00:00+01:00", datetime(2026, 1, 1)),
        ("soon", None),
        (None, None),
        (2**63 - 1, None),
        (-(2**63), None),
        ("infinity", None),
    ],
)
def test_the_instant_is_read_in_each_documented_form(
    raw: Raw, extracted_at: object, read: datetime | None
) -> None:
    raw.load({"a.gz": [json.dumps({"_airbyte_extracted_at": extracted_at, "asin": "X"}).encode()]})
    assert raw.rows()[0][6] == read


def test_root_fields_are_a_record_too(raw: Raw) -> None:
    raw.load({"a.gz": [b'{"_airbyte_raw_id":"id","asin":"X"}']})
    assert json.loads(raw.rows()[0][2])["asin"] == "X"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"{",
        b"[1]",
        b"null",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b'{"_airbyte_data": 3}',
        b'{"asin":"X","asin":"Y"}',
        b'{"_airbyte_data":{"asin":"X"},"_airbyte_data":{"asin":"Y"}}',
        b'{"_airbyte_data":{"asin":"X","csv":null,"asin":"X"}}',
        b"\x00",
    ],
)
def test_a_line_that_is_no_record_keeps_its_text(raw: Raw, line: bytes) -> None:
    raw.load({"a.gz": [a_line(asin="X"), line, a_line(asin="Y")]})
    rows = raw.rows()
    assert [row[1] for row in rows] == [1, 2, 3]
    assert rows[1][2] is None
    assert rows[1][3] == line.decode(errors="backslashreplace")
    answer = raw.warehouse.query(on(PRODUCT_RAW, ROWS_OF_FILES), {"files": ["a.gz"]})
    assert answer.rows == [("a.gz", 3, 1)]
    (ledger,) = raw.warehouse.query(
        "select lines, loaded, quarantined from MONITORING.LOAD_LEDGER"
    ).rows
    assert ledger == (3, 2, 1)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (r"a\udc00", "a\ufffd"),
        (r"\ud83d", "\ufffd"),
        (r"\uD83D\uD83D\uDE00b", "\ufffd\U0001f600b"),
        (r"\udc00\ud83dx\u0000", "\ufffd\ufffdx\0"),
        # Backslashes of the text, before what looks like an escape and is none.
        (r"\ud83d \\ud83d \\\ud83d \"\\u+d83d", '\ufffd \\ud83d \\\ufffd "\\u+d83d'),
    ],
)
def test_half_of_an_emoji_is_replaced(raw: Raw, text: str, read: str) -> None:
    raw.load({"a.gz": [f'{{"asin":"X","title":["{text}"],"{text}":1}}'.encode()]})
    ((payload, line),) = raw.warehouse.query("select payload, raw_line from RAW.KEEPA_RAW").rows
    assert json.loads(payload) == {"asin": "X", "title": [read], read: 1}
    assert line is None


def test_each_source_is_held_against_its_own_lines_of_the_ledger(raw: Raw) -> None:
    """The ledger is shared: files of another source stand in a table of their own."""
    of_keepa = "env=local/source=keepa/stream=product_raw/"
    lost = f"{of_keepa}lost.gz"
    raw.load({f"{of_keepa}a.gz": [a_line(asin="X")], lost: [a_line(asin="Y")]})
    raw.run(
        [
            Statement(
                "insert into MONITORING.LOAD_LEDGER select * replace ($name as source_file)"
                " from MONITORING.LOAD_LEDGER where source_file = $like",
                {"name": name, "like": lost},
            )
            for name in (
                "env=local/source=sp_api/stream=order_metrics/a.gz",
                # Not a prefix of characters that stand for others.
                "env=local/source=keepa/stream=productXraw/a.gz",
            )
        ]
        + [Statement("delete from RAW.KEEPA_RAW where source_file = $like", {"like": lost})]
    )
    unlike = raw.warehouse.query(on(PRODUCT_RAW, FILES_UNLIKE_LEDGER), {"prefix": of_keepa}).rows
    assert [(name, lines, rows) for name, _, lines, rows in unlike] == [(lost, 1, 0)]


def test_a_changed_file_replaces_what_it_brought_and_nothing_else(raw: Raw) -> None:
    raw.load({"a.gz": [a_line(asin="X"), a_line(asin="Y")], "b.gz": [a_line(asin="Z")]})
    raw.load({"a.gz": [a_line(asin="W")]}, "later")
    assert [(row[0], row[1]) for row in raw.rows()] == [("a.gz", 1), ("b.gz", 1)]


def test_a_warehouse_of_before_arrivals_were_kept_goes_on(raw: Raw) -> None:
    raw.load({"a.gz": [a_line(asin="X")]})
    raw.run([Statement("alter table MONITORING.LOAD_LEDGER drop column arrived_at")])
    raw.run(create_tables(PRODUCT_RAW))
    raw.load({"b.gz": [a_line(asin="Y")]})
    ledger = raw.warehouse.query(
        "select source_file, arrived_at from MONITORING.LOAD_LEDGER order by all"
    ).rows
    assert ledger == [("a.gz", None), ("b.gz", ARRIVED_AT.replace(tzinfo=None))]


def test_a_file_name_is_a_value_and_never_sql(raw: Raw) -> None:
    name = "'); drop table RAW.KEEPA_RAW; --.gz"
    raw.load({name: [a_line(asin="X")]})
    assert raw.rows()[0][0] == name


def test_a_load_that_fails_half_way_leaves_nothing(raw: Raw) -> None:
    raw.load({"a.gz": [a_line(asin="X")]})
    before = raw.rows()
    with pytest.raises(WarehouseRejectedError, match="nowhere"):
        raw.run([Statement("delete from RAW.KEEPA_RAW"), Statement("select * from nowhere")])
    assert raw.rows() == before


lines = st.one_of(
    st.builds(lambda text: a_line(asin="X", title=text), st.text(max_size=20)),
    st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.sampled_from("abcd"), st.lists(lines, min_size=1, max_size=4)),
    order=st.randoms(use_true_random=False),
)
def test_any_order_and_number_of_loads_gives_the_same_table(
    files: dict[str, list[bytes]], order: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at_once = Raw(tmp_path_factory.mktemp("once"))
    if files:
        at_once.load(files)
    piecewise = Raw(tmp_path_factory.mktemp("pieces"))
    keys = [*files, *files]
    order.shuffle(keys)
    for key in keys:
        piecewise.load({key: files[key]})
    assert piecewise.rows() == at_once.rows()
    assert len(at_once.rows()) == sum(map(len, files.values()))


def test_memory_does_not_hold_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veracitypro_pipeline.raw.engines.BATCH_BYTES", 200)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"x" * 60 + b"\n" + b"y" * 60 + b"\n" + b"z\n"))
    file = LandedFile(key="a", etag="e", size_bytes=1, lines=3, sync_ids={})
    batches: Iterator[Any] = iter(line_batches([file], [path]))
    assert [batch.column(1).to_pylist() for batch in batches] == [[1, 2], [3]]


def test_a_warehouse_that_is_not_there_yet_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(WarehouseMissingError, match="`vp run` creates it"):
        DuckDBWarehouse(tmp_path / "none.duckdb").query("select 1")


def test_tables_are_counted_whatever_their_names_are(raw: Raw) -> None:
    raw.run(
        [
            Statement('create table RAW."odd ""name"" --" as select 1 as x union all select 2'),
            Statement("create view RAW.a_view as select 1 as x"),
        ]
    )
    counts = {"a_view": 1, "keepa_raw": 0, 'odd "name" --': 2}
    assert raw.warehouse.row_counts("raw") == counts
    del counts["a_view"]
    assert raw.warehouse.row_counts("raw", has_views=False) == counts
    assert raw.warehouse.row_counts("nowhere") == {}
