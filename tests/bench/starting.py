"""What it takes to start: Dagster's load of the graph, and the commands people type."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from tests.bench.harness import Benchmark, cost_of_process
from veracitypro_pipeline.resources.dbt.command import manifest_path
from veracitypro_pipeline.settings import Settings

# The six libraries of Dagster that a stack like ours is usually made of.
LIBRARIES: Final = (
    *("dagster", "dagster_dbt", "dagster_airbyte"),
    *("dagster_aws", "dagster_slack", "dagster_snowflake"),
)
VP: Final = str(Path(sys.executable).with_name("vp"))


def load(repetitions: int, libraries: Sequence[str] = LIBRARIES) -> Benchmark:
    """The code location, loaded as Dagster loads it, with a manifest that is up to date."""
    imports = f"import of {len(libraries)} dagster libraries"
    result = Benchmark("load", "how long does the graph take to load?", baseline=imports)
    graph = "import veracitypro_pipeline.definitions"
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as home:
        for environment in ("local", "prod"):
            manifest_path(Settings.load(home=Path(home), environment=environment))
        for _ in range(repetitions):
            for name, program, settings in (
                (imports, f"import {', '.join(libraries)}", {}),
                ("import of dagster", "import dagster", {}),
                ("our definitions, local", graph, {"VP_ENVIRONMENT": "local"}),
                ("our definitions, prod", graph, {"VP_ENVIRONMENT": "prod"}),
            ):
                cost = cost_of_process(
                    [sys.executable, "-W", "ignore", "-c", program],
                    {**os.environ, "VP_HOME": home, **settings},
                )
                result.variant(name).costs.append(cost)
    return result


def startup(repetitions: int, *, with_run: bool) -> Benchmark:
    """Commands that answer at once or are not used. `vp status` needs a run to tell of."""
    result = Benchmark("startup", "how long do commands take to answer?", baseline="python")
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "vp --help": [VP, "--help"],
        "vp sql": [VP, "sql", "select 1"],
    }
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as folder:
        home = Path(folder) / "home"
        environment = {**os.environ, "VP_HOME": str(home)}
        if with_run:
            cost_of_process([VP, "run"], environment)
            cost_of_process([VP, "down"], environment)
            commands["vp status"] = [VP, "status"]
        else:
            path = Settings.load(home=home).warehouse_path
            path.parent.mkdir(parents=True)
            duckdb.connect(path).close()
        for _ in range(repetitions):
            for name, command in commands.items():
                result.variant(name).costs.append(cost_of_process(command, environment))
    return result
