"""Airbyte as a Dagster resource."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from veracitypro_pipeline.resources.run_settings import RunSettings

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.airbyte.client import SyncClient


REQUIRED: Final = (
    "airbyte_workspace_id",
    "airbyte_connection_id",
    "airbyte_client_id",
    "airbyte_client_secret",
)


class AirbyteResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Airbyte connection that reads Keepa and writes S3."""

    settings: dg.ResourceDependency[RunSettings]

    def client(self) -> "SyncClient":
        """A client. Raises PermanentFailure if a setting is missing."""
        from veracitypro_pipeline.resources.airbyte.client import SyncClient

        return SyncClient.from_settings(self.settings.get(*REQUIRED))
