"""dbt as a Dagster resource: one `dbt build`, its events streamed as they happen.

dagster-dbt starts the process, reads its log and makes the events. Its `DbtCliResource` is left
out: each call of it starts a second process for `dbt --version`, which costs a third of a small
build, and its manifest parsing belongs to `resources/dbt_command.py`.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import dagster as dg

from veracitypro_pipeline.resources import dbt_command
from veracitypro_pipeline.resources.run_settings import RunSettings


class DbtResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The dbt project on the environment's target."""

    settings: dg.ResourceDependency[RunSettings]

    def build(self, context: dg.AssetExecutionContext) -> Iterator[Any]:
        """`dbt build` of what the run selected; yields outputs and check results.

        Raises:
            DagsterDbtCliRuntimeError: a model or a blocking test failed; the message names it.
        """
        from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
        from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation
        from dagster_dbt.dagster_dbt_translator import DagsterDbtTranslator
        from packaging.version import Version

        settings = self.settings.get()
        # Manifest and translator come from the asset itself, which carries those it was made with.
        parameters = get_updated_cli_invocation_params_for_context(
            context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
        )
        target_path = dbt_command.build_folder(settings)
        env = dbt_command.environment(settings, target_path)
        if parameters.indirect_selection:
            env["DBT_INDIRECT_SELECTION"] = parameters.indirect_selection
        settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        invocation = DbtCliInvocation.run(
            args=dbt_command.arguments("build", *parameters.selection_args),
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
        yield from invocation.stream()
