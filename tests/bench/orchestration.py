"""What Dagster, checks and the other stages add to dbt: whole nights against a plain `dbt build`.

All on one catalogue and one night: a home that has the night before is put back for each of them,
so that every variant has the same to do.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from tests.bench.harness import Benchmark, Cost, cost_of_process
from tests.bench.starting import VP
from tests.support.dagster_dev import dagster_dev
from tests.support.home import RUN_SECONDS
from veracitypro_pipeline.lineage import DBT_STAGES
from veracitypro_pipeline.local.stack.lifecycle import stop_stack
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.settings import Settings

NIGHT: Final = date(2026, 1, 31)
PLAIN: Final = "dbt build"
DBT_BY_VP: Final = "vp run, dbt and its checks"
BY_DAEMON: Final = "dagster dev, launched to ended"
# As the pipeline builds: unit tests are for who changes a model.
BUILD: Final = ("build", "--exclude-resource-type", "unit_test")
# dbt as somebody has it who installs it: text on the terminal, its whole log in a file.
_AS_INSTALLED: Final = ("DBT_LOG_FORMAT", "DBT_LOG_LEVEL_FILE")
# The stages before dbt, without dbt.
_TO_RAW: Final = """
import sys
from veracitypro_pipeline import definitions
from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.lineage import ingest_key, JOB_NAME, landing_key, raw_key
from veracitypro_pipeline.settings import Settings

with dagster_instance(Settings.load()) as instance:
    definitions.defs.resolve_job_def(JOB_NAME).execute_in_process(
        instance=instance,
        partition_key=sys.argv[1],
        asset_selection=[ingest_key(PRODUCT_RAW), landing_key(PRODUCT_RAW), raw_key(PRODUCT_RAW)],
    )
"""


@dataclass(frozen=True)
class SecondNight:
    """A home that is put back for each variant which plays the second night in it.

    In the same place: dbt reads all of its project again if the warehouse's path differs.
    """

    home: Path

    def prepare(self) -> None:
        _vp(self.home, "run", "--date", str(NIGHT - timedelta(days=1)))
        self._keep("before")
        _python(self.home, _TO_RAW, str(NIGHT))
        self._keep("landed")

    def before(self) -> AbstractContextManager[None]:
        """With the first night."""
        return self._as_it_was("before")

    def landed(self) -> AbstractContextManager[None]:
        """With the first night, and RAW of the second."""
        return self._as_it_was("landed")

    def _keep(self, name: str) -> None:
        stop_stack(self.home)
        shutil.copytree(self.home, self.home.with_name(name))

    @contextmanager
    def _as_it_was(self, name: str) -> Iterator[None]:
        shutil.rmtree(self.home)
        shutil.copytree(self.home.with_name(name), self.home)
        try:
            yield
        finally:
            stop_stack(self.home)


@contextmanager
def second_night() -> Iterator[SecondNight]:
    """In a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as folder:
        night = SecondNight(Path(folder) / "home")
        night.prepare()
        yield night


def orchestration(repetitions: int) -> Benchmark:
    """Processors' seconds are those of the command and of what it starts, dbt among them; the local
    stand-ins are services, and not counted."""
    result = Benchmark(
        "orchestration", "what does a whole night cost, beside dbt alone?", baseline=PLAIN
    )
    with second_night() as night:
        for _ in range(repetitions):
            for variant, arguments in (
                (PLAIN, BUILD),
                ("dbt build without tests", ("run",)),
                ("dbt parse", ("parse",)),
            ):
                with night.landed():
                    result.variant(variant).costs.append(plain_dbt(night.home, *arguments))
            with night.before():
                _add_night(result, night.home)
            with night.before():
                result.variant(BY_DAEMON).costs.append(by_daemon(night.home))
    return result


def _add_night(result: Benchmark, home: Path) -> None:
    """`vp run`: the whole command; the run in it; and of the run, dbt with its checks."""
    cost, summary = by_vp(home)
    stages = {stage["name"]: float(stage["seconds"]) for stage in summary["stages"]}
    result.variant(DBT_BY_VP).costs.append(cost_of_dbt(summary))
    whole = result.variant("vp run, all stages", checks=summary["checks"]["passed"])
    whole.costs.append(Cost(summary["seconds"]))
    others = {name: seconds for name, seconds in stages.items() if name not in DBT_STAGES}
    for name, seconds in others.items():
        result.variant(f"vp run, {name}").costs.append(Cost(seconds))
    between = summary["seconds"] - sum(stages.values())
    result.variant("vp run, between steps").costs.append(Cost(between))
    start = cost.seconds - summary["seconds"]
    result.variant("vp run, before and after").costs.append(Cost(start))
    result.variant("vp run, the command").costs.append(cost)


def by_vp(home: Path) -> tuple[Cost, dict[str, Any]]:
    """The night by the command, and its summary."""
    output = home.parent / "night.json"
    cost = _vp(home, "run", "--json", "--date", str(NIGHT), into=str(output))
    summary: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return cost, summary


def cost_of_dbt(summary: dict[str, Any]) -> Cost:
    """Of a night: dbt with its checks."""
    return Cost(
        sum(float(one["seconds"]) for one in summary["stages"] if one["name"] in DBT_STAGES)
    )


def by_daemon(home: Path) -> Cost:
    """The job as the UI launches it: the daemon starts a process for the run.

    Seconds alone, because its processes are children of others; and `dagster dev` is up before.
    """
    with dagster_dev(home) as dagster:
        started = time.perf_counter()
        status = dagster.end_of(dagster.launch(str(NIGHT)), RUN_SECONDS)
        seconds = time.perf_counter() - started
    assert status == "SUCCESS", status
    return Cost(seconds)


def plain_dbt(home: Path, *arguments: str) -> Cost:
    command, project = dbt_command.arguments(*arguments), Settings.load(home=home).dbt_project_dir
    return cost_of_process(command, environment_of_dbt(home), project)


def environment_of_dbt(home: Path) -> dict[str, str]:
    settings = Settings.load(home=home)
    environment = dbt_command.environment(settings, dbt_command.build_folder(settings))
    return {name: value for name, value in environment.items() if name not in _AS_INSTALLED}


def _vp(home: Path, *arguments: str, into: str | None = None) -> Cost:
    """The command, with its output in a file."""
    command = [VP, *arguments, "--home", str(home)]
    if into is None:
        return cost_of_process(command)
    return cost_of_process(["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", into, *command])


def _python(home: Path, program: str, *arguments: str) -> None:
    cost_of_process(
        [sys.executable, "-c", program, *arguments], {**os.environ, "VP_HOME": str(home)}
    )
