"""Settings that a test gives to a resource, in place of those of the environment."""

from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.settings import Settings


def fixed(settings: Settings) -> RunSettings:
    """By a class of its own, because Dagster copies resources and drops what is set on them."""

    class FixedSettings(RunSettings):
        def _load(self) -> Settings:
            return settings

    return FixedSettings()
