"""A home, and `vp` commands in it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb

VP: Final = Path(sys.executable).parent / "vp"
RUN_SECONDS: Final = 300.0
FIRST: Final = date(2025, 11, 20)
SECOND: Final = date(2025, 11, 21)


@dataclass(frozen=True)
class Home:
    """A home and the command line in it."""

    path: Path

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start in a new process group, as a shell does, so that a test can send Ctrl+C to it."""
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
        """The exit code of `vp` with a closed standard output and a full disk for its messages."""
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
        """The document of `vp run --json`, which must succeed."""
        outcome = self.vp("run", "--json", *arguments)
        assert outcome.returncode == 0, outcome.stderr + outcome.stdout
        document: dict[str, Any] = json.loads(outcome.stdout)
        return document

    def refusal(self, *arguments: str) -> str:
        """The one sentence with which `vp` rejects a request."""
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

        Without the tables of runs and of outdated series, which every run changes.
        """
        names = self.query(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_name not like 'PIPELINE_RUN_%' and table_name not like '_CHANGES_OF_%'"
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


def counts(document: dict[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    """Rows in, out and refused of each stage, None where it did not come to them."""
    return {
        stage["name"]: (stage["rows_in"], stage["rows_out"], stage["rows_refused"])
        for stage in document["stages"]
    }
