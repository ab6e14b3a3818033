"""The settings of a run as a Dagster resource: addresses and credentials, looked up at run start.

Every other resource asks this one, so that definitions load without a credential and no secret
ever becomes run configuration, metadata or part of a snapshot.
"""

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.masking import learn
from veracitypro_pipeline.settings import Settings, SettingsError


class RunSettings(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings as the environment gives them when a run needs them."""

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
