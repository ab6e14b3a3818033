"""The services of a deployment, through the clients that the nightly run uses."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg

from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.resources.airbyte.resource import AirbyteResource
from veracitypro_pipeline.resources.dbt.command import ManifestMissingError
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.slack import SlackError, SlackResource
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import Settings, variable_of
from veracitypro_pipeline.sources.connector import (
    SourceError,
    tracked_asins,
    tracked_products_file,
)
from veracitypro_pipeline.sources.source import Source, Tracked

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.airbyte.client import SyncClient
    from veracitypro_pipeline.resources.powerbi import PowerBIClient


class _OtherRole(RunSettings):
    """The settings of a run, with the role and the warehouse that two other settings name."""

    of_run: dg.ResourceDependency[RunSettings]
    role: str
    warehouse: str

    def _load(self) -> Settings:
        settings = self.of_run.get()
        return settings.model_copy(
            update={
                "snowflake_role": getattr(settings, self.role),
                "snowflake_warehouse": getattr(settings, self.warehouse),
            }
        )


class Deployment:
    """One client per service, with the settings that a run gets.

    `tracked` returns the ASINs by domain id that the source must fetch, if they are not those of
    the dbt seed.
    """

    def __init__(
        self,
        run_settings: RunSettings,
        tracked: Callable[[], Tracked] | None = None,
    ) -> None:
        self.settings: Settings = run_settings.get()
        self._tracked = tracked
        self.s3 = S3Resource(settings=run_settings)
        self.state_store = StateStore(settings=run_settings, s3=self.s3)
        self.warehouse = WarehouseResource(settings=run_settings)
        self.slack = SlackResource(settings=run_settings)
        self.dbt_warehouse = WarehouseResource(
            settings=_OtherRole(
                of_run=run_settings, role="snowflake_dbt_role", warehouse="snowflake_warehouse"
            )
        )
        self.reader_warehouse = WarehouseResource(
            settings=_OtherRole(
                of_run=run_settings,
                role="snowflake_reader_role",
                warehouse="snowflake_reader_warehouse",
            )
        )
        self._airbyte = AirbyteResource(settings=run_settings)
        self._powerbi = PowerBIResource(settings=run_settings)
        # By the name of the source.
        self._clients: dict[str, SyncClient] = {}
        self._connections: dict[str, Mapping[str, Any]] = {}

    @property
    def tracked(self) -> Tracked:
        if self._tracked is not None:
            return self._tracked()
        return tracked_asins(tracked_products_file(self.settings))

    def airbyte(self, source: Source) -> "SyncClient":
        """A client of the source's connection; one sign-in for all that is asked."""
        if source.name not in self._clients:
            self._clients[source.name] = self._airbyte.client(source.connection)
        return self._clients[source.name]

    def connection(self, source: Source) -> Mapping[str, Any]:
        """The source's connection as Airbyte has it; asked for once."""
        if source.name not in self._connections:
            self._connections[source.name] = self.airbyte(source).connection()
        return self._connections[source.name]

    @cached_property
    def powerbi(self) -> "PowerBIClient":
        return self._powerbi.client()


DeploymentProbe = Probe[Deployment]


def settings_probe(service: str, fields: Sequence[str]) -> DeploymentProbe:
    """A probe for the settings of a service; its fault names all that are missing."""

    def look(deployment: Deployment) -> str:
        missing = [
            variable_of(field) for field in fields if getattr(deployment.settings, field) is None
        ]
        if missing:
            raise ProbeError(f"not set: {', '.join(missing)}")
        return "all set"

    return Probe(
        name=f"{service} settings",
        look=look,
        fix="set them in the deployment's environment; .env.example explains each one",
    )


def message_of(error: Exception) -> str | None:
    """The message of a client's error about the deployment; None for any other exception."""
    if isinstance(error, dg.Failure):
        return str(error.description)
    if isinstance(error, SlackError | ManifestMissingError | SourceError):
        return str(error)
    return None
