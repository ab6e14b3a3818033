"""dbt as a Dagster resource: one `dbt build`, its events streamed as they happen.

dagster-dbt reads the log of the process and makes the events. Why not its `DbtCliResource`:
infra/decisions/0006-how-dbt-is-run.md.
"""

import re
import subprocess
from collections import deque
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from signal import SIGINT, SIGKILL
from typing import Any, Final

import dagster as dg
from pydantic import PrivateAttr

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.home import FOLDER_MODE
from veracitypro_pipeline.masking import mask_error, masked
from veracitypro_pipeline.partitions import day_of_run
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.resources.dbt import process
from veracitypro_pipeline.resources.http import TRANSIENT_STATUSES
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.warehouse.factory import engine_of
from veracitypro_pipeline.resources.warehouse.on_snowflake import TRANSIENT_ERRORS
from veracitypro_pipeline.runs.summary import DBT_RUN_ID
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.step_guard import interrupts_are_final

# Unit tests judge the SQL, not the night's data: they run where the SQL changes.
_DATA_ALONE: Final = ("--exclude-resource-type", "unit_test")
BUILD: Final = ("build", *_DATA_ALONE)
# Of checks that are executed alone: it touches no table.
TEST: Final = ("test", *_DATA_ALONE)
SHOWN_CHARACTERS: Final = 1_000
SHOWN_NODES: Final = 3
# How dagster-dbt introduces what dbt said (0.29.27).
_ERRORS_FOLLOW: Final = "Errors parsed from dbt logs:"
# What dbt (1.11) says before the cause: a line of its progress, and what failed, twice.
_PROGRESS: Final = re.compile(r"^\d+ of \d+ .*$", re.MULTILINE)
_FAILURE_IN: Final = re.compile(r"^Failure in \w+ (\S+ \(.+\))$", re.MULTILINE)
_ERROR_IN: Final = re.compile(r"^ *\w+ Error in \w+ \S+ \(.+\)$", re.MULTILINE)
# Of a failure dbt leaves us the words. Those of DuckDB for a file in use, and of Snowflake's
# connector (4.7) for a service that cannot be reached: it numbers these 250001, as it does a key or
# a user that is refused.
PASSING: Final = (
    "Could not set lock on file",
    "Could not connect to Snowflake backend",
    "Failed to connect to DB. Service is unavailable",
    "timed out",
    "reached its statement or warehouse timeout",
)
# The connector's numbers for a request that got no answer, and for HTTP statuses.
_NO_ANSWER: Final = 250003
_HTTP: Final = 290000
PASSING_CODES: Final = (
    TRANSIENT_ERRORS | {_NO_ANSWER} | {_HTTP + status for status in TRANSIENT_STATUSES}
)
# How the connector writes them before what it says, e.g. `000625 (57014): Statement was aborted`.
_CODE: Final = re.compile(r"\b(\d{6})(?: \(\w{5}\))?: ")


class DbtResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The dbt project on the environment's target."""

    settings: dg.ResourceDependency[RunSettings]
    # What ends with a build: its process, and on DuckDB its turn.
    _at_work: ExitStack = PrivateAttr(default_factory=ExitStack)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        """End a build that is not followed any more.

        `build` does not resume if the run is interrupted while Dagster records an event.
        """
        self._at_work.close()

    @property
    def run_results(self) -> Path:
        """What the last build of this environment said of each node; there is none before one."""
        return dbt_command.build_folder(self.settings.get()) / "run_results.json"

    def build(
        self, context: dg.AssetExecutionContext, *, full_refresh: bool = False
    ) -> Iterator[Any]:
        """`dbt build` of what the run selected, `dbt test` if it selected checks alone; yields
        outputs and check results.

        `full_refresh` rebuilds kept tables from RAW.

        Raises:
            PermanentFailure: a model or a test failed, and the message has dbt's own words; or dbt
                reported no result for one of them.
            TransientFailure: dbt could not get at the warehouse, or was killed.
        """
        settings = self.settings.get()
        self._at_work.enter_context(_turn_of(settings))
        try:
            yield from self._build(context, settings, full_refresh=full_refresh)
        finally:
            self._at_work.close()

    def _build(
        self, context: dg.AssetExecutionContext, settings: Settings, *, full_refresh: bool
    ) -> Iterator[Any]:
        from dagster_dbt import DbtCliInvocation
        from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
        from dagster_dbt.dagster_dbt_translator import DagsterDbtTranslator
        from dagster_dbt.errors import DagsterDbtCliRuntimeError
        from packaging.version import Version

        # Manifest and translator come from the asset itself, which carries those it was made with.
        parameters = get_updated_cli_invocation_params_for_context(
            context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
        )
        command = BUILD if context.selected_asset_keys else TEST
        arguments = [*command, *parameters.selection_args]
        if full_refresh:
            arguments.append("--full-refresh")
        if parameters.indirect_selection:
            arguments += ["--indirect-selection", parameters.indirect_selection]
        target_path = dbt_command.build_folder(settings)
        invocation = DbtCliInvocation.run(
            args=process.command(*arguments),
            env={
                **dbt_command.environment(settings, target_path),
                # Query tags are made of these, and results are matched by the first.
                f"{dbt_command.CUSTOM}{DBT_RUN_ID}": context.run.run_id,
                f"{dbt_command.CUSTOM}PARTITION": day_of_run(
                    context.instance, context.run
                ).isoformat(),
            },
            manifest=parameters.manifest,
            dagster_dbt_translator=parameters.dagster_dbt_translator,
            project_dir=settings.dbt_project_dir,
            target_path=target_path,
            raise_on_error=True,
            context=context,
            adapter=None,
            cli_version=Version(version("dbt-core")),
        )
        events = iter(invocation.stream())
        self._at_work.callback(_end, invocation.process, events)
        reported: set[dg.AssetKey | dg.AssetCheckKey | None] = set()
        try:
            with interrupts_are_final():
                for event in events:
                    reported.add(_node_of(context, event))
                    yield event
        except DagsterDbtCliRuntimeError as error:
            if invocation.process.returncode == -SIGKILL:
                raise TransientFailure(
                    "dbt was killed, as the system does when memory is short. What it finished"
                    " stays, and the next try goes on from there."
                ) from error
            raise failure_of(str(error), command[0]) from mask_error(error)
        tables, tests = context.selected_asset_keys, context.selected_asset_check_keys
        if not reported >= tables | tests:
            raise _unreported(tables, tests, reported)


def _end(dbt: "subprocess.Popen[bytes]", events: Iterator[Any]) -> None:
    """End dbt if it is at work; it cancels its statements first (`process.py` limits how long)."""
    if dbt.poll() is None:
        dbt.send_signal(SIGINT)
    # Read to the end: dbt must not wait with a full pipe, and dagster-dbt's (0.29.27) generator
    # raises an error if it is closed before.
    with suppress(Exception):
        deque(events, maxlen=0)
    dbt.wait()


@contextmanager
def _turn_of(settings: Settings) -> Iterator[None]:
    """On DuckDB, keep readers from coming before dbt, which waits for the file by itself."""
    if engine_of(settings) != "duckdb":
        yield
        return
    from veracitypro_pipeline.resources.warehouse.duckdb_turn import turn_of_writer
    from veracitypro_pipeline.resources.warehouse.on_duckdb import LOCK_WAIT_SECONDS

    settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    with turn_of_writer(settings.warehouse_path.parent, LOCK_WAIT_SECONDS):
        yield


def _node_of(
    context: dg.AssetExecutionContext, event: Any
) -> dg.AssetKey | dg.AssetCheckKey | None:
    """The table or test of which an event is the result."""
    node: dg.AssetKey | dg.AssetCheckKey | None = None
    if isinstance(event, dg.Output):
        node = context.asset_key_for_output(event.output_name)
    elif isinstance(event, dg.AssetCheckResult) and event.asset_key and event.check_name:
        node = dg.AssetCheckKey(event.asset_key, event.check_name)
    return node


def _unreported(
    tables: Set[dg.AssetKey],
    tests: Set[dg.AssetCheckKey],
    reported: Set[dg.AssetKey | dg.AssetCheckKey | None],
) -> PermanentFailure:
    """The failure of a dbt whose exit code is good and whose results are not all there."""
    silent_tables, silent_tests = sorted(tables - reported), sorted(tests - reported)
    names = [key.to_user_string() for key in silent_tables]
    names += [f"{key.asset_key.to_user_string()}: {key.name}" for key in silent_tests]
    more = f" and {len(names) - SHOWN_NODES} more" if len(names) > SHOWN_NODES else ""
    return PermanentFailure(
        f"dbt ended without an error, but reported no result for {len(silent_tables)} of"
        f" {len(tables)} tables and {len(silent_tests)} of {len(tests)} tests"
        f" ({', '.join(names[:SHOWN_NODES])}{more}), so nothing says that they are right: look in"
        " the log of the run for what dbt wrote, then run the day again."
    )


def failure_of(said: str, command: str = "build") -> dg.Failure:
    """A failed model or test fails again; a warehouse that is busy or away may come back."""
    if full := full_disk.message_in(said):
        return PermanentFailure(full)
    reason = said.partition(_ERRORS_FOLLOW)[2].strip() or said
    cause = _FAILURE_IN.sub(r"\1:", _ERROR_IN.sub("", _PROGRESS.sub("", reason)))
    shortened = masked(" ".join((cause.strip() or reason).split()))[:SHOWN_CHARACTERS]
    codes = {int(code) for code in _CODE.findall(reason)}
    if codes & PASSING_CODES or any(mark in reason for mark in PASSING):
        return TransientFailure(f"dbt could not get at the warehouse: {shortened}")
    return PermanentFailure(f"dbt {command} failed: {shortened}")
