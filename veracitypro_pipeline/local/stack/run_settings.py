"""The seam between production code and the local stack: settings with the stack's addresses.

A resource that asks for settings in `local` gets those of a running stack, which is started if it
is not there (any more). Nothing else in the graph knows that a service is a stand-in.

Not here: which environment uses this (`definitions.py`), and the stack (`lifecycle.py`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final

import dagster as dg
from pydantic import SecretStr

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.home import ForeignFolderError
from veracitypro_pipeline.local.stack.lifecycle import (
    StackError,
    StackState,
    clock_of,
    ensure_stack,
    play_day,
)
from veracitypro_pipeline.partitions import are_checks_alone, days_of
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.run_lock import one_run_at_a_time
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.connector import tracked_products_file

# Services on loopback answer at once.
POLL_SECONDS: Final = 0.2
# The local Power BI has no daily limit, and a day can be played any number of times.
UNLIMITED: Final = 1_000

log = logging.getLogger(__name__)


class StackRunSettings(RunSettings):
    """Settings of a run on the local stack; the day that the run is for is played there first."""

    def _load(self) -> Settings:
        """The settings of this process, with the stack's addresses and sign-ins.

        Raises:
            PermanentFailure: the stack cannot be started.
        """
        settings = Settings.load()
        return on_stack(settings, started_stack(settings))

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["StackRunSettings"]:
        """For a run: wait for the runs before it, then play its day. Checks that are executed alone
        leave the stack at the day that it is at."""
        with super().yield_for_execution(context):
            if context.run is None:
                yield self
                return
            settings = Settings.load()
            say = context.log.info if context.log else log.info
            with one_run_at_a_time(settings.home_dir, say) as is_first:
                days = days_of(context.run)
                if is_first and days and not are_checks_alone(context.run):
                    play(settings, days[0])
                yield self

    def now(self) -> datetime:
        """The stack's clock."""
        return clock_of(started_stack(Settings.load()))


def started_stack(settings: Settings, say: Callable[[str], object] = lambda _: None) -> StackState:
    """The running stack of the settings' home; `say` is told if it has to be started.

    Raises:
        PermanentFailure: it cannot be started; the message says why and what to do.
    """
    try:
        return ensure_stack(
            settings.home_dir, tracked_products=tracked_products_file(settings), say=say
        )
    except (ForeignFolderError, StackError) as error:
        raise PermanentFailure(str(error)) from error


def play(settings: Settings, as_of_date: date) -> None:
    """Turn the stack to the night after a day; the products in play stay.

    Raises:
        PermanentFailure: the day cannot be played.
    """
    try:
        play_day(started_stack(settings), as_of_date)
    except StackError as error:
        raise PermanentFailure(str(error)) from error


def on_stack(settings: Settings, stack: StackState) -> Settings:
    """The settings with every address and sign-in of the stack."""
    return settings.model_copy(
        update={
            "airbyte_api_url": stack.airbyte_api_url,
            "airbyte_configuration_api_url": stack.airbyte_configuration_api_url,
            "airbyte_workspace_id": stack.airbyte_workspace_id,
            **{source.connection: stack.airbyte_connection_ids[source.name] for source in SOURCES},
            "airbyte_client_id": stack.airbyte_client_id,
            "airbyte_client_secret": SecretStr(stack.airbyte_client_secret),
            "airbyte_poll_seconds": POLL_SECONDS,
            "aws_endpoint_url_s3": stack.s3_endpoint_url,
            "aws_access_key_id": stack.aws_access_key_id,
            "aws_secret_access_key": SecretStr(stack.aws_secret_access_key),
            "aws_session_token": None,
            "powerbi_api_url": stack.powerbi_api_url,
            "powerbi_authority_url": stack.powerbi_authority_url,
            "powerbi_tenant_id": stack.powerbi_tenant_id,
            "powerbi_client_id": stack.powerbi_client_id,
            "powerbi_client_secret": SecretStr(stack.powerbi_client_secret),
            "powerbi_workspace_id": stack.powerbi_workspace_id,
            "powerbi_dataset_id": stack.powerbi_dataset_id,
            "powerbi_daily_refreshes": UNLIMITED,
            "powerbi_poll_seconds": POLL_SECONDS,
            "slack_api_url": stack.slack_api_url,
            "slack_bot_token": SecretStr(stack.slack_bot_token),
            "slack_channel": stack.slack_channel,
        }
    )
