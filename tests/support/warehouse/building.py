"""Build the dbt project on a DuckDB file, quickly and in this process.

dbt is parsed once; every build starts from a copy of that manifest. All warehouse files carry the
same name, because the name of the database is part of the manifest.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from unittest.mock import patch

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from tests.support.warehouse.reference import Fetch
from veracitypro_pipeline.raw.on_duckdb import create_tables
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW

FILE_NAME: Final = "warehouse.duckdb"
PARTIAL_PARSE: Final = "partial_parse.msgpack"
LOADED_AT: Final = datetime(2026, 1, 1)
UNTESTED: Final = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@dataclass(frozen=True)
class Line:
    """A row of RAW. `payload` is JSON text; None for a line that is no JSON, kept in `raw_line`."""

    payload: str | None
    fetched_at: datetime | None
    as_of_date: date
    source_file: str
    file_row_number: int = 1
    raw_line: str | None = None
    load_id: str = "load-1"


@dataclass(frozen=True)
class Project:
    folder: Path
    target: Path
    manifest: Any

    def dbt(self, path: Path, *args: str) -> dict[str, str]:
        """Run dbt against the warehouse at `path`; what went wrong, by name of the node."""
        with environment(path, self.target):
            result = dbtRunner(manifest=self.manifest.deepcopy()).invoke(
                [*args, "--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
            )
        if result.exception is not None:
            raise result.exception
        outcomes: Any = result.result
        return {
            outcome.node.name: f"{outcome.status} {outcome.message}"
            for outcome in outcomes
            if outcome.status not in ("success", "pass", "no-op")  # An exposure is a no-op.
        }


def parse_project(folder: Path, target: Path, parsed: Path | None = None) -> Project:
    """Parse for the local target. `parsed` is a folder that outlives this process: dbt's partial
    parse is taken from there and left there, and dbt reads again what has changed since."""
    kept = parsed and parsed / PARTIAL_PARSE
    if kept and kept.exists():
        shutil.copyfile(kept, target / PARTIAL_PARSE)
    # dbt parses everything again where the path of the warehouse differs; it opens none.
    with environment(Path(FILE_NAME), target):
        result = dbtRunner().invoke(
            [
                *("parse", "--target", "local"),
                *("--project-dir", str(folder)),
                *("--profiles-dir", str(folder)),
            ]
        )
    if result.exception is not None:
        raise result.exception
    if kept:
        # Another worker may read it now: it sees the whole file, old or new.
        partial = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(target / PARTIAL_PARSE, partial)
        partial.replace(kept)
    return Project(folder, target, result.result)


@contextmanager
def environment(warehouse_path: Path, target: Path) -> Iterator[None]:
    """What a dbt invocation reads from its environment; the database file is let go at the end."""
    variables = {
        "DBT_TARGET": "local",
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(target),
        "DBT_LOG_LEVEL": "none",
        "DBT_LOG_LEVEL_FILE": "warn",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_WRITE_JSON": "false",  # A tenth of a build; tests read tables.
        "VP_WAREHOUSE_PATH": str(warehouse_path),
        "SNOWFLAKE_ACCOUNT": "account",
        "SNOWFLAKE_USER": "user",
        "DBT_ENV_SECRET_SNOWFLAKE_PASSWORD": "password",
    }
    with patch.dict(os.environ, variables):
        try:
            yield
        finally:
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


@dataclass
class Warehouse:
    """A DuckDB file with the RAW table, which tests fill by hand."""

    project: Project
    folder: Path
    path: Path = field(init=False)
    loads: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.path = self.folder / FILE_NAME
        with duckdb.connect(str(self.path)) as connection:
            for statement in create_tables(PRODUCT_RAW):
                connection.execute(statement.sql)

    def load(self, lines: Iterable[Line]) -> None:
        """Append lines, as a load that brings these files for the first time."""
        loaded_at = LOADED_AT + timedelta(minutes=self.loads)
        self.loads += 1
        rows = [
            {
                "payload": line.payload,
                "raw_line": line.raw_line,
                "_airbyte_raw_id": f"{line.source_file}:{line.file_row_number}",
                "_airbyte_extracted_at": line.fetched_at,
                "as_of_date": line.as_of_date,
                "source_file": line.source_file,
                "file_row_number": line.file_row_number,
                "load_id": line.load_id,
                "loaded_at": loaded_at,
            }
            for line in lines
        ]
        with duckdb.connect(str(self.path)) as connection:
            table = connection.table("RAW.KEEPA_RAW")
            columns = zip(table.columns, table.types, strict=True)
            values = ", ".join(
                f"unnest(${name}::{of_type}[]) as {name}" for name, of_type in columns
            )
            connection.execute(
                f"insert into RAW.KEEPA_RAW select {values}",
                {name: [row[name] for row in rows] for name in table.columns},
            )

    def forget(self, source_file: str) -> None:
        """Take a file's lines away, as the raw stage does before it loads another version."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("delete from RAW.KEEPA_RAW where source_file = ?", [source_file])

    def run(self) -> None:
        """Seeds and models, without their tests."""
        self.run_up_to()

    def refresh(self) -> None:
        """The same, from nothing."""
        self._build("--full-refresh", *UNTESTED)

    def build(self) -> None:
        """Seeds and models, with all tests of their data."""
        self._build("--exclude-resource-type", "unit_test")

    def _build(self, *args: str) -> None:
        failures = self.project.dbt(self.path, "build", *args)
        assert not failures, "\n".join(f"{name}: {why}" for name, why in failures.items())

    def run_up_to(self, *nodes: str) -> None:
        """These models or seeds and what they are made of, or all, without their tests."""
        selected = ["--select", *(f"+{node}" for node in nodes)] if nodes else []
        self._build(*selected, *UNTESTED)

    def said_by(self, check: str) -> str:
        """How a data test ends: `pass`, or its status and message."""
        return self.project.dbt(self.path, "test", "--select", check).get(check, "pass")

    def red_checks(self, names: Iterable[str]) -> set[str]:
        """Which of these data tests fail on the tables as they are."""
        return set(self.project.dbt(self.path, "test", "--select", *names))

    def readers_of_raw(self) -> set[str]:
        """The models that went to RAW in the last build."""
        # By name: dbt leaves the SQL of unit tests in the same folder.
        folder = self.project.target / "compiled" / "veracitypro"
        return {
            node.name
            for node in self.project.manifest.nodes.values()
            if node.resource_type == "model"
            and "keepa_raw" in (folder / node.original_file_path).read_text()
        }

    def failed_unit_tests(self) -> dict[str, str]:
        """Why, by name. The tables must be there: unit tests ask them for their columns."""
        return self.project.dbt(self.path, "test", "--select", "test_type:unit")

    def rendered(self, text: str) -> str:
        """What dbt makes of a text with macros in it."""
        with environment(self.path, self.project.target):
            result = dbtRunner(manifest=self.project.manifest.deepcopy()).invoke(
                [
                    *("compile", "--inline", text),
                    *("--project-dir", str(self.project.folder)),
                    *("--profiles-dir", str(self.project.folder)),
                ]
            )
        if result.exception is not None:
            raise result.exception
        (outcome,) = cast(Any, result.result)
        return str(outcome.node.compiled_code)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()


def line_of(fetch: Fetch, source_file: str | None = None, row: int = 1) -> Line:
    """The line that a fetch arrives as."""
    payload = json.dumps(fetch.product, ensure_ascii=False)
    name = source_file or f"{fetch.fetched_at:%Y%m%d%H%M}_{fetch.product['asin']}.jsonl.gz"
    return Line(payload, fetch.fetched_at, fetch.as_of_date, name, row)


def fetch_at(product: dict[str, Any], fetched_at: datetime) -> Fetch:
    """A nightly fetch: it reads as of the day before."""
    return Fetch(product, fetched_at, fetched_at.date() - timedelta(days=1))
