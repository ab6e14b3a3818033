"""The base of every value that a stage leaves."""

from pydantic import BaseModel, ConfigDict


class StageValue(BaseModel):
    """A field that a newer version has added is left out, so that this one can be returned to."""

    model_config = ConfigDict(frozen=True, extra="ignore")
