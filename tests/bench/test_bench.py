"""The benchmarks run, on a size that says nothing about speed."""

import json
from pathlib import Path

from click.testing import CliRunner

from .__main__ import bench


def test_a_benchmark_leaves_a_table_a_document_and_a_picture(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(bench, ["days", "--size", "tiny", "--out", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    assert str(tmp_path / "days.svg") in outcome.output
    document = json.loads((tmp_path / "bench.json").read_text())
    assert document["size"] == "tiny"
    (days,) = document["benchmarks"]
    (nights,) = days["variants"]
    # The first night, which loads all histories, is none of those compared.
    assert nights["repetitions"] == 1
    assert nights["ratio"] == 1
    assert nights["cpu_seconds"] > 0
    assert nights["points"] > 100
    assert "<svg" in (tmp_path / "days.svg").read_text()
