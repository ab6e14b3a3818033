"""The benchmarks run, on a size that says nothing about speed."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from tests.bench.__main__ import BENCHMARKS, bench
from tests.bench.harness import Benchmark, Cost, write
from veracitypro_pipeline.settings import REPOSITORY_DIR


def test_a_benchmark_leaves_a_table_a_document_and_a_picture(tmp_path: Path) -> None:
    """The two that play no night; the others need minutes."""
    names = ["explode", "tokens"]
    outcome = CliRunner().invoke(bench, [*names, "--size", "tiny", "--out", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    for name in names:
        assert str(tmp_path / f"{name}.svg") in outcome.output
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()
    document = json.loads((tmp_path / "bench.json").read_text())
    assert document["size"] == "tiny"
    variants = {
        benchmark["name"]: {one["name"]: one for one in benchmark["variants"]}
        for benchmark in document["benchmarks"]
    }
    # Both read the same points, so that their seconds can be compared.
    assert {one["points"] for one in variants["explode"].values()} == {6612}
    # Three products: 1 token each, with the buy box 2 more, with ratings 1 more; in one request.
    assert variants["tokens"]["histories alone"]["tokens"] == 3
    assert variants["tokens"]["as configured"]["tokens"] == 12
    assert variants["tokens"]["as configured"]["requests"] == 1


def test_seconds_alone_can_be_written_too(tmp_path: Path) -> None:
    """As those of a page in a browser, whose processes nobody here started."""
    result = Benchmark("pages", "how long?", baseline="first")
    result.variant("first").costs.append(Cost(2.0))
    result.variant("second").costs.append(Cost(1.0))
    document, _ = write([result], "tiny", tmp_path)
    (benchmark,) = json.loads(document.read_text())["benchmarks"]
    ratios = [(one["ratio"], one["cpu_ratio"]) for one in benchmark["variants"]]
    assert ratios == [(1.0, 0.0), (0.5, 0.0)]


def test_the_readme_names_benchmarks_that_there_are() -> None:
    readme = (REPOSITORY_DIR / "README.md").read_text()
    commands = re.findall(r"python -m tests\.bench(?: ([\w ]+))?", readme)
    assert len(commands) > 1
    for words in commands:
        bench.make_context("bench", words.split())
    table = re.findall(r"^\| [^|]+ \| `(\w+)` \| [^|]+ \|$", readme, re.MULTILINE)
    assert len(table) > 4
    assert set(table) <= set(BENCHMARKS)
