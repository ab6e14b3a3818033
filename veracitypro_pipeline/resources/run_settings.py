"""The settings of a run as a Dagster resource: addresses and credentials, read at run start.

Every other resource reads its settings here, not from the environment: so definitions load without
credentials, and no secret gets into run configuration, metadata or a snapshot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.masking import learn
from veracitypro_pipeline.partitions import are_checks_alone, day_of_run, days_of
from veracitypro_pipeline.settings import Settings, SettingsError


class RunSettings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Reads the settings from the environment whenever a run needs them."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RunSettings"]:
        """Called before every step: reject a run of several days, and fix the day of a run that
        executes checks alone."""
        run = context.run
        is_without_a_day = run is not None and (are_checks_alone(run) or len(days_of(run)) > 1)
        if run is not None and context.instance is not None and is_without_a_day:
            day_of_run(context.instance, run)
        yield self

    def now(self) -> datetime:
        """The current instant (UTC) on the clock of the run's services."""
        return datetime.now(UTC)

    def get(self, *required: str) -> Settings:
        """The settings of this process.

        Raises:
            PermanentFailure: a setting is unknown or invalid, or a `required` field is empty.
        """
        try:
            settings = self._load()
            settings.require(*required)
        except SettingsError as error:
            raise PermanentFailure(str(error)) from error
        # The secrets of the local stack are not in the environment, where masking reads the others.
        learn(settings.secrets)
        return settings

    def _load(self) -> Settings:
        return Settings.load()
