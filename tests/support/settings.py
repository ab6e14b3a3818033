"""What a test gives to a resource or an asset in place of the environment and of S3."""

from typing import Any

from pydantic import BaseModel

from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.state_store import UnreadableStateError
from veracitypro_pipeline.settings import Settings


def fixed(settings: Settings) -> RunSettings:
    """By a class of its own, because Dagster copies resources and drops what is set on them."""

    class FixedSettings(RunSettings):
        def _load(self) -> Settings:
            return settings

    return FixedSettings()


class StateInMemory:
    """A state store for one test. Passed where the real one's type stands, so typed as Any."""

    def __init__(self) -> None:
        self.kept: dict[str, BaseModel] = {}
        self.damaged: set[str] = set()

    def read(self, name: str, kind: Any) -> Any:
        if name in self.damaged:
            raise UnreadableStateError(f"{name} is not a valid {kind.__name__}.")
        return self.kept.get(name)

    def write(self, name: str, value: BaseModel) -> None:
        self.kept[name] = value
        self.damaged.discard(name)

    def of_another_run(self) -> None:
        """Make every claim look as if another run had made it."""
        another = {"run_id": "another"}
        self.kept = {
            name: value.model_copy(update=another) if hasattr(value, "run_id") else value
            for name, value in self.kept.items()
        }
