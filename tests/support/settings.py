"""Stand-ins for settings and for the state store, for tests of resources and assets."""

from typing import Any

from pydantic import BaseModel

from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.state_store import UnreadableStateError
from veracitypro_pipeline.settings import Settings


def fixed(settings: Settings) -> RunSettings:
    """A settings resource of a new class: Dagster copies resources and drops their attributes."""

    class FixedSettings(RunSettings):
        def _load(self) -> Settings:
            return settings

    return FixedSettings()


class StateInMemory:
    """A state store in memory. Passed in place of the real one, so typed as Any."""

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
        """Make another run the author of every claim."""
        another = {"run_id": "another"}
        self.kept = {
            name: value.model_copy(update=another) if hasattr(value, "run_id") else value
            for name, value in self.kept.items()
        }
