"""What `vp sql` prints of titles that somebody else has written."""

import csv
import io

import pytest

from veracitypro_pipeline.cli.sql import _print_csv, _print_table
from veracitypro_pipeline.statement import Answer


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_title_is_no_formula_in_a_spreadsheet(
    title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_csv(Answer(["title", "price"], [(title, -1), ("A 'fine' = paddle", None)]))
    printed = capsys.readouterr().out
    _, first, second = csv.reader(io.StringIO(printed, newline=""))
    assert first == [f"'{title}", "-1"]
    assert second == ["A 'fine' = paddle", ""]


def test_a_title_does_not_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _print_table(Answer(["title"], [("\x1b[2J[red]gone\x07\x9b",), ("Größe 10 m²",)]))
    printed = capsys.readouterr().out
    assert r"\x1b[2J[red]gone\x07\x9b" in printed
    assert "Größe 10 m²" in printed
