"""How the pipeline runs dbt, beside dagster-dbt's `DbtCliResource`: the same night with each."""

import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import dagster as dg

from veracitypro_pipeline.cli.instance import dagster_instance
from veracitypro_pipeline.definitions import build_definitions, run_settings
from veracitypro_pipeline.lineage import JOB_NAME
from veracitypro_pipeline.resources.dbt import command
from veracitypro_pipeline.resources.dbt.resource import BUILD, DbtResource
from veracitypro_pipeline.settings import Settings

from .harness import Benchmark, cost_of_process
from .orchestration import NIGHT, second_night

OURS: Final = "DbtResource"
STOCK: Final = "DbtCliResource"


class StockDbt(DbtResource):
    """As dagster-dbt's documentation runs it."""

    def build(
        self, context: dg.AssetExecutionContext, *, full_refresh: bool = False
    ) -> Iterator[Any]:
        from dagster_dbt import DbtCliResource

        settings = Settings.load()
        folder = command.build_folder(settings)
        # It has no other way to be given an environment.
        os.environ.update(command.environment(settings, folder))
        dbt = DbtCliResource(project_dir=str(settings.dbt_project_dir), target=settings.environment)
        arguments = [*BUILD, *(["--full-refresh"] if full_refresh else [])]
        yield from dbt.cli(arguments, context=context, target_path=folder).stream()


def dbt_runner(repetitions: int) -> Benchmark:
    """Seconds of the clock and of processors; the local stand-ins are not counted."""
    result = Benchmark("dbt_runner", "what does dagster-dbt's own runner cost?", baseline=STOCK)
    with second_night() as night:
        for _ in range(repetitions):
            for variant in (OURS, STOCK):
                with night.before():
                    cost = cost_of_process(
                        [sys.executable, "-m", __name__, variant],
                        {**os.environ, "VP_HOME": str(night.home)},
                    )
                result.variant(variant).costs.append(cost)
    return result


def _play(variant: str) -> None:
    settings = Settings.load()
    overrides = {} if variant == OURS else {"dbt": StockDbt(settings=run_settings(settings))}
    job = build_definitions(settings, overrides).resolve_job_def(JOB_NAME)
    with dagster_instance(settings) as instance:
        job.execute_in_process(instance=instance, partition_key=str(NIGHT))


if __name__ == "__main__":
    _play(sys.argv[1])
