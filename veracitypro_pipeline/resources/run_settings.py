"""The settings of a run as a Dagster resource: addresses and credentials, looked up at run start.

Every other resource asks this one, so that definitions load without a credential and no secret
ever becomes run configuration, metadata or part of a snapshot.
"""

from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.settings import Settings


class RunSettings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings as the environment gives them when a run needs them."""

    def get(self) -> Settings:
        """The settings of this process.

        Raises:
            SettingsError: a setting is unknown or wrong.
        """
        return Settings.load()

    def now(self) -> datetime:
        """The present instant at the services, UTC."""
        return datetime.now(UTC)
