"""Stores the values that stages pass to each other, as JSON objects in the monitoring bucket.

There is one object per asset and as-of day, so each stage can be run again alone, days later and on
another machine.
"""

from typing import TypeVar

import dagster as dg
from pydantic import BaseModel, ValidationError

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.partitions import day_of_run
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.resources.s3 import S3Resource

Value = TypeVar("Value", bound=BaseModel)


class UnreadableStateError(PermanentFailure):
    """A stored value was truncated or overwritten."""


class StateStore(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Reads and writes the values of `stage_values`."""

    settings: dg.ResourceDependency[RunSettings]
    s3: dg.ResourceDependency[S3Resource]

    def read(self, name: str, kind: type[Value]) -> Value | None:
        """The value stored under a name, or None.

        Raises:
            UnreadableStateError: the object is not a valid `kind`.
        """
        bucket, key = self.settings.get().monitoring_bucket, self._key(name)
        text = self.s3.read_text(bucket, key)
        try:
            return None if text is None else kind.model_validate_json(text)
        except ValidationError as error:
            raise UnreadableStateError(
                f"s3://{bucket}/{key} is not a valid {kind.__name__}"
                f" ({error.errors()[0]['msg']}): restore an older version of it, or delete it and"
                " run its day again."
            ) from error

    def write(self, name: str, value: BaseModel) -> None:
        """Store a value under a name, replacing an older one."""
        bucket = self.settings.get().monitoring_bucket
        self.s3.write_text(bucket, self._key(name), value.model_dump_json(indent=1))

    def _key(self, name: str) -> str:
        return f"env={self.settings.get().environment}/handover/{name}.json"


class StageValuesIOManager(dg.ConfigurableIOManager):
    """Stores the value of an asset's partition and loads it for downstream assets and checks.

    Checks are not partitioned: they get the value of their run's day.
    """

    store: dg.ResourceDependency[StateStore]

    def handle_output(self, context: dg.OutputContext, obj: BaseModel | None) -> None:
        if obj is not None:
            self.store.write(_name(context.asset_key, context.asset_partition_key), obj)

    def load_input(self, context: dg.InputContext) -> BaseModel:
        kind = context.dagster_type.typing_type
        run = context.step_context.dagster_run
        day = day_of_run(context.instance, run).isoformat()
        value = self.store.read(_name(context.asset_key, day), kind)
        if value is None:
            raise PermanentFailure(
                f"{context.asset_key.to_user_string()} has no value for {day}: materialize that"
                " partition of it first."
            )
        assert isinstance(value, BaseModel)
        return value


def _name(asset: dg.AssetKey, day: str) -> str:
    return f"{'/'.join(asset.path)}/{day}"
