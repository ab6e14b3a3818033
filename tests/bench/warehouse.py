"""A warehouse of its own for a benchmark: production's load and production's dbt command."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.harness import Cost, cost_of, cost_of_process
from tests.bench.landing import Night
from veracitypro_pipeline.raw.engines import line_batches
from veracitypro_pipeline.raw.on_duckdb import create_tables, load_statements
from veracitypro_pipeline.raw.tables import Load
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.warehouse.on_duckdb import DuckDBWarehouse
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.statement import Statement


@dataclasses.dataclass(frozen=True)
class BenchWarehouse:
    """A DuckDB file below `home`, with the dbt project parsed for it."""

    settings: Settings

    @classmethod
    def make(cls, home: Path) -> "BenchWarehouse":
        settings = Settings.load(home=home)
        home.mkdir(parents=True)
        dbt_command.manifest_path(settings)
        warehouse = cls(settings)
        warehouse._transact(create_tables(PRODUCT_RAW))
        return warehouse

    @property
    def duckdb(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.settings.warehouse_path)

    @property
    def size_mib(self) -> int:
        return self.settings.warehouse_path.stat().st_size >> 20

    def load(self, night: Night) -> Cost:
        """The night's files into RAW."""
        loaded_at = datetime.combine(night.as_of_date, datetime.min.time())
        load = Load(
            PRODUCT_RAW, night.files, night.as_of_date, f"load-{night.as_of_date}", loaded_at
        )
        lines = line_batches(night.files, night.paths)
        return cost_of(lambda: self._transact(load_statements(load), {"landing_lines": lines}))

    def _transact(
        self, statements: Iterable[Statement], relations: Mapping[str, Any] | None = None
    ) -> None:
        with self.duckdb.transaction(relations=relations) as transaction:
            for statement in statements:
                transaction.run(statement)

    def build(self) -> Cost:
        """`dbt build` as the nightly run calls it: every model and every data test."""
        target = dbt_command.build_folder(self.settings)
        return cost_of_process(
            dbt_command.arguments("build", "--exclude-resource-type", "unit_test"),
            dbt_command.environment(self.settings, target),
            self.settings.dbt_project_dir,
        )

    def night(self, night: Night) -> Cost:
        """Load and build."""
        load, build = self.load(night), self.build()
        return Cost(
            load.seconds + build.seconds,
            load.cpu_seconds + build.cpu_seconds,
            max(load.peak_mib, build.peak_mib),
        )

    def count(self, relation: str) -> int:
        return int(self.duckdb.query(f"select count(*) from {relation}").rows[0][0])
