"""The settings of a run as a Dagster resource: addresses and credentials, looked up at run start.

Every other resource asks this one, so that definitions load without a credential and no secret
ever becomes run configuration, metadata or part of a snapshot.
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
    """Settings as the environment gives them when a run needs them."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RunSettings"]:
        """Every step of every run begins here: refuse a run of several days, and fix the day that
        checks judge which are executed alone."""
        run = context.run
        is_without_a_day = run is not None and (are_checks_alone(run) or len(days_of(run)) > 1)
        if run is not None and context.instance is not None and is_without_a_day:
            day_of_run(context.instance, run)
        yield self

    def now(self) -> datetime:
        """The current instant (UTC) as the services of the run see it."""
        return datetime.now(UTC)

    def get(self, *required: str) -> Settings:
        """The settings of this process, of which the `required` fields are not empty.

        Raises:
            PermanentFailure: a setting is unknown, wrong or missing.
        """
        try:
            settings = self._load()
            settings.require(*required)
        except SettingsError as error:
            raise PermanentFailure(str(error)) from error
        # Those of a local stack are in no environment.
        learn(settings.secrets)
        return settings

    def _load(self) -> Settings:
        return Settings.load()
