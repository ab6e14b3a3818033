"""How `vp sql` prints titles from outside."""

import csv
import io
import json
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from veracitypro_pipeline.cli.sql import TABLE_ROWS, _print_csv, _print_json, _print_table
from veracitypro_pipeline.statement import Rows


def answer(columns: list[str], rows: list[tuple[Any, ...]], total: int | None = None) -> Rows:
    return Rows(columns, iter(rows), len(rows) if total is None else total)


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_title_is_not_a_formula_in_a_spreadsheet(
    title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_csv(answer(["title", "price"], [(title, -1), ("A 'fine' = paddle", None)]))
    printed = capsys.readouterr().out
    _, first, second = csv.reader(io.StringIO(printed, newline=""))
    assert first == [f"'{title}", "-1"]
    assert second == ["A 'fine' = paddle", ""]


def test_rows_that_do_not_fit_have_one_line_per_field(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns one letter wide could not be read."""
    monkeypatch.setenv("COLUMNS", "120")
    columns = [f"column_{number}" for number in range(20)]
    rows: list[tuple[Any, ...]] = [("a title of some length", None, *range(18))] * 2
    _print_table(answer(columns, rows))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "-[ 1 ]------"
    assert lines[1] == "column_0  | a title of some length"
    assert lines[2] == "column_1  | "
    assert lines[21] == "-[ 2 ]------"
    assert lines[-1] == "2 rows"

    monkeypatch.setenv("COLUMNS", "400")
    _print_table(answer(columns, rows))
    assert "│ a title of some length │" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "total", "line"),
    [
        (0, 0, "0 rows"),
        (1, 1, "1 row"),
        (2, 2, "2 rows"),
        (
            TABLE_ROWS,
            287_850,
            "The first 1,000 of 287,850 rows; 286,850 are left out: --format csv or json prints"
            " all.",
        ),
    ],
)
def test_a_table_ends_with_its_row_count_and_what_it_omits(
    rows: int, total: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_table(answer(["x"], [(number,) for number in range(rows)], total))
    assert capsys.readouterr().out.splitlines()[-1] == line


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_json_is_one_list_with_one_field_a_line(
    rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    row = (date(2026, 1, 31), Decimal("1.50"), "Größe", True, None)
    names = ["day", "price", "title", "is_own", "rank"]
    _print_json(answer(names, [row] * rows))
    values = ["2026-01-31", 1.5, "Größe", True, None]
    objects = [dict(zip(names, values, strict=True))] * rows
    assert capsys.readouterr().out == json.dumps(objects, ensure_ascii=False, indent=1) + "\n"


def test_a_title_does_not_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _print_table(answer(["title"], [("\x1b[2J[red]gone\x07\x9b",), ("Größe 10 m²",)]))
    printed = capsys.readouterr().out
    assert r"\x1b[2J[red]gone\x07\x9b" in printed
    assert "Größe 10 m²" in printed


def test_json_has_the_same_title_in_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    _print_json(answer(["title"], [("\x9b2J\x7f\u202eGröße 🏓",)]))
    printed = capsys.readouterr().out
    assert r"\u009b2J\u007f\u202eGröße 🏓" in printed
    assert json.loads(printed) == [{"title": "\x9b2J\x7f\u202eGröße 🏓"}]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_csv_is_unchanged_unless_it_goes_to_a_terminal(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    _print_csv(answer(["title", "price"], [("\x1b[2J", 1)]))
    expected = r"\x1b[2J,1" if is_terminal else "\x1b[2J,1"
    assert capsys.readouterr().out.splitlines()[1] == expected
