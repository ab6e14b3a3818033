"""A SQL statement as the stages make it and the warehouse runs it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Statement(NamedTuple):
    """One SQL statement and the values bound to its `$names`."""

    sql: str
    values: Mapping[str, Any] = _NOTHING
