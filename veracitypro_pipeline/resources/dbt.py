"""dbt as a Dagster resource: one `dbt build`, its events streamed as they happen.

dagster-dbt starts the process, reads its log and makes the events. Its `DbtCliResource` is left
out: each call of it starts a second process for `dbt --version`, which costs a third of a small
build, and its manifest parsing belongs to `resources/dbt_command.py`.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure, interrupts_are_final
from veracitypro_pipeline.resources import dbt_command
from veracitypro_pipeline.resources.run_settings import RunSettings

# Unit tests judge the SQL, not the night's data: they run where the SQL changes.
BUILD: Final = ("build", "--exclude-resource-type", "unit_test")
SHOWN_CHARACTERS: Final = 1_000
# How dagster-dbt introduces what dbt said (0.29.27).
_ERRORS_FOLLOW: Final = "Errors parsed from dbt logs:"
# DuckDB's and Snowflake's words for a file in use and a service that cannot be reached.
PASSING: Final = (
    "Could not set lock on file",
    "250001",
    "Failed to connect",
    "timed out",
    "reached its statement or warehouse timeout",
)


class DbtResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The dbt project on the environment's target."""

    settings: dg.ResourceDependency[RunSettings]

    def build(
        self, context: dg.AssetExecutionContext, *, full_refresh: bool = False
    ) -> Iterator[Any]:
        """`dbt build` of what the run selected; yields outputs and check results.

        `full_refresh` makes incremental models anew from RAW.

        Raises:
            PermanentFailure: a model or a test failed; the message has dbt's own words.
            TransientFailure: dbt could not get at the warehouse.
        """
        from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
        from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation
        from dagster_dbt.dagster_dbt_translator import DagsterDbtTranslator
        from dagster_dbt.errors import DagsterDbtCliRuntimeError
        from packaging.version import Version

        settings = self.settings.get()
        # Manifest and translator come from the asset itself, which carries those it was made with.
        parameters = get_updated_cli_invocation_params_for_context(
            context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
        )
        target_path = dbt_command.build_folder(settings)
        env = dbt_command.environment(settings, target_path)
        # dbt keeps variables of this name in its artifacts, and query tags are made of them.
        env["DBT_ENV_CUSTOM_ENV_RUN_ID"] = context.run_id
        env["DBT_ENV_CUSTOM_ENV_PARTITION"] = context.partition_key
        if parameters.indirect_selection:
            env["DBT_INDIRECT_SELECTION"] = parameters.indirect_selection
        settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        invocation = DbtCliInvocation.run(
            args=dbt_command.arguments(
                *BUILD, *(["--full-refresh"] if full_refresh else []), *parameters.selection_args
            ),
            env=env,
            manifest=parameters.manifest,
            dagster_dbt_translator=parameters.dagster_dbt_translator,
            project_dir=settings.dbt_project_dir,
            target_path=target_path,
            raise_on_error=True,
            context=context,
            adapter=None,
            cli_version=Version(version("dbt-core")),
        )
        try:
            with interrupts_are_final():
                yield from invocation.stream()
        except DagsterDbtCliRuntimeError as error:
            raise _failure(str(error)) from error


def _failure(said: str) -> dg.Failure:
    """A failed model or test fails again; a warehouse that is busy or away may come back."""
    reason = said.partition(_ERRORS_FOLLOW)[2].strip() or said
    shortened = " ".join(reason.split())[:SHOWN_CHARACTERS]
    if any(mark in reason for mark in PASSING):
        return TransientFailure(f"dbt could not get at the warehouse: {shortened}")
    return PermanentFailure(f"dbt build failed: {shortened}")
