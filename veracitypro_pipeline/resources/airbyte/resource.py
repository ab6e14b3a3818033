"""Airbyte as a Dagster resource."""

from typing import TYPE_CHECKING, Final

import dagster as dg

from veracitypro_pipeline.resources.run_settings import RunSettings

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.airbyte.client import SyncClient


# Beside the connection of a source.
REQUIRED: Final = ("airbyte_workspace_id", "airbyte_client_id", "airbyte_client_secret")


class AirbyteResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Airbyte, whose connections read the sources and write S3."""

    settings: dg.ResourceDependency[RunSettings]

    def client(self, connection: str) -> "SyncClient":
        """A client of one connection; `connection` names the setting with its id.

        Raises:
            PermanentFailure: a setting is missing.
        """
        from veracitypro_pipeline.resources.airbyte.client import SyncClient

        settings = self.settings.get(*REQUIRED, connection)
        return SyncClient.from_settings(settings, str(getattr(settings, connection)))
