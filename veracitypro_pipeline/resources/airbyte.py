"""Airbyte as a Dagster resource."""

from typing import TYPE_CHECKING

import dagster as dg

from veracitypro_pipeline.resources.run_settings import RunSettings

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.airbyte_client import SyncClient


class AirbyteResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Airbyte connection that reads Keepa and writes S3."""

    settings: dg.ResourceDependency[RunSettings]

    def client(self) -> "SyncClient":
        """A signed-in client. Raises SettingsError if a setting is missing."""
        from veracitypro_pipeline.resources.airbyte_client import SyncClient

        return SyncClient.from_settings(self.settings.get())
