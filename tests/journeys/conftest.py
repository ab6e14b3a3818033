"""What the journeys share: homes in which nights are played by the real `vp` command.

A home is slow to make, so the tests of one group share one, and each leaves it as good as it was.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from PIL import Image

from veracitypro_pipeline.local.stack.lifecycle import stop_stack
from veracitypro_pipeline.settings import REPOSITORY_DIR

VP: Final = Path(sys.executable).parent / "vp"
RUN_SECONDS: Final = 300.0
# The README's pictures: `pytest tests/journeys --pictures` takes them anew.
PICTURES: Final = REPOSITORY_DIR / ".github" / "images"
COLOURS: Final = 128
# Pixels; a page is longer than somebody wants to scroll in a README.
SHOWN_HEIGHT: Final = 1300
FIRST, SECOND = date(2025, 11, 20), date(2025, 11, 21)


@dataclass(frozen=True)
class Home:
    """A home and the command line in it."""

    path: Path

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """In a process group of its own, as a shell does, so that a test can press Ctrl+C there."""
        return subprocess.Popen(
            [str(VP), *arguments],
            cwd=self.path.parent,
            env={**os.environ, "VP_HOME": str(self.path), "COLUMNS": "120", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def vp(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def unheard(self, *arguments: str) -> int:
        """The exit code of `vp` whose output has no reader any more, and its messages no room."""
        reads, writes = os.pipe()
        os.close(reads)
        with os.fdopen(writes, "wb") as output, Path("/dev/full").open("wb") as messages:
            return subprocess.run(
                [str(VP), *arguments],
                env={**os.environ, "VP_HOME": str(self.path)},
                stdout=output,
                stderr=messages,
                timeout=RUN_SECONDS,
            ).returncode

    def run(self, *arguments: str) -> dict[str, Any]:
        """`vp run --json`, which must go well."""
        outcome = self.vp("run", "--json", *arguments)
        assert outcome.returncode == 0, outcome.stderr + outcome.stdout
        document: dict[str, Any] = json.loads(outcome.stdout)
        return document

    def refusal(self, *arguments: str) -> str:
        """The one sentence with which `vp` refuses a request."""
        outcome = self.vp(*arguments)
        assert outcome.returncode == 2, outcome.stdout + outcome.stderr
        assert outcome.stdout == ""
        assert "Traceback" not in outcome.stderr
        sentence = outcome.stderr.strip().splitlines()[-1]
        assert sentence.startswith(("vp: ", "Error: "))
        return sentence

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse" / "vp_dwh.duckdb"), read_only=True) as db:
            return db.execute(sql).fetchall()

    def tables(self) -> dict[str, Any]:
        """Rows and a hash of every table of data, by name.

        Each run adds to the tables of runs, and says anew what it found to do.
        """
        names = self.query(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_name not like 'PIPELINE_RUN_%' and table_name not like 'CHANGES_OF_%'"
            " order by 1"
        )
        return {
            name: self.query(f"select count(*), bit_xor(hash(x)) from {name} as x")[0]
            for (name,) in names
        }

    def state(self, name: str) -> Any:
        """A JSON file of the stack."""
        return json.loads((self.path / "stack" / name).read_text())

    def slack(self) -> list[dict[str, Any]]:
        """What Slack received, oldest first."""
        lines = (self.path / "stack" / "slack" / "messages.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def landing_files(self) -> list[Path]:
        bucket = self.path / "stack" / "s3" / "vp-raw-local-us-east-2"
        return sorted(bucket.rglob("*.jsonl.gz"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """An empty home; its stack is stopped at the end."""
    path = tmp_path_factory.mktemp("journey") / "home"
    yield Home(path)
    stop_stack(path)


@pytest.fixture(scope="session")
def nights_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home of `nights`, for the modules of the group of that name."""
    path = tmp_path_factory.mktemp("nights") / "home"
    yield Home(path)
    stop_stack(path)


@pytest.fixture(scope="session")
def nights(nights_home: Home) -> dict[str, Any]:
    """Two nights in order, as `vp run --days 2` prints them."""
    return nights_home.run("--days", "2", "--date", str(SECOND))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="Take the README's pictures anew.")


@pytest.fixture
def keep_picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Keeps a PNG under a name beside the test's files, and small among the README's if asked.

    `height` is where that one is cut, in pixels; None shows all of it.
    """

    def keep(png: bytes, name: str, height: int | None = SHOWN_HEIGHT) -> None:
        (tmp_path / f"{name}.png").write_bytes(png)
        if request.config.getoption("--pictures", default=False):
            PICTURES.mkdir(exist_ok=True)
            whole = Image.open(io.BytesIO(png)).convert("RGB")
            shown = whole.crop((0, 0, whole.width, min(whole.height, height or whole.height)))
            # Colours of few pixels stay apart: the red of a legend is not the amber beside it.
            shown = shown.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
            shown.save(PICTURES / f"{name}.png", optimize=True)

    return keep


def counts(document: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    """Rows in, out and refused of each stage, None where it did not come to them."""
    return {
        stage["name"]: (stage["rows_in"], stage["rows_out"], stage["rows_refused"])
        for stage in document["stages"]
    }
