"""What a source is, and the names that follow from its declaration. Pure.

A source is declared once, in a module or a package beside this one. Stages, the doctor, the local
stack and the links read the declaration; none of them names a source.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from veracitypro_pipeline.service_levels import Promise

# How many products a message names of those that it counts.
NAMED_PRODUCTS: Final = 5
# In place of a name in the rows of `Refusals.missing`: the product has no history at all.
ANY: Final = "histories"

# The ASINs of each domain id that a source has to fetch.
Tracked = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Stream:
    """One stream of a source's Airbyte connection: landed under its own prefix, loaded into one
    table of RAW, one asset key a stage.

    `name` is the stream's name in the connector's manifest. `source` is set by its `Source`.
    """

    name: str
    table: str
    source: str = field(default="", kw_only=True)

    @property
    def raw_table(self) -> str:
        return f"RAW.{self.table}"

    @property
    def snowflake_stage(self) -> str:
        """The Snowflake stage that reads the stream's landing files."""
        return f"RAW.STAGE_{self.table.removesuffix('_RAW')}"

    def prefix(self, environment: str) -> str:
        """Where Airbyte lands the stream in the bucket; ends with a slash."""
        return f"env={environment}/source={self.source}/stream={self.name}/"


@dataclass(frozen=True)
class Budget:
    """What a sync costs: `a_record` names the setting that holds the cost of one record."""

    unit: str
    a_record: str


@dataclass(frozen=True)
class Equation:
    """Two sums of named counts that must be equal, with the words for each side."""

    left: str
    left_counts: tuple[str, ...]
    right: str
    right_counts: tuple[str, ...]


@dataclass(frozen=True)
class Conservation:
    """What must hold between RAW and MART once dbt is done.

    `counts` is SQL of both engines; it returns one row of counts for `$files`, the landing files of
    the day. Every source counts `raw_rows`, `unreadable`, `accepted` and `refused`; `read_by_core`
    names the count of what CORE reads. `summary` is a sentence with counts in braces.
    """

    counts: str
    equations: tuple[Equation, ...]
    read_by_core: str
    summary: str


@dataclass(frozen=True)
class Examples:
    """SQL that names what was refused, asked if one of these counts is not zero.

    Its rows are `what` (null if the sentence says it already), `asin`, and `products`, the number
    of products concerned; a few rows for each `what`.
    """

    counts: tuple[str, ...]
    sql: str


@dataclass(frozen=True)
class Refusals:
    """What STG refused, and what it misses.

    `of_files` is SQL that returns `source_file`, `loaded_at` and counts for each of `$files`.
    `refused` are the counts that make the check red, `of_core` those that CORE reports as refused
    rows. `shares` pairs a count with the one it is a part of: a large part is a format change.
    `missing` is SQL for what came on earlier nights and does not any more; see
    `transform/missing.py` for its rows.
    """

    of_files: str
    refused: tuple[str, ...]
    of_core: tuple[str, ...]
    shares: tuple[tuple[str, str], ...]
    summary: Callable[[Mapping[str, int]], str]
    examples: tuple[Examples, ...]
    missing: str


@dataclass(frozen=True)
class Source:
    """A source and its streams.

    `name` is part of every key, prefix and folder of the source, `title` what people call it.
    `connection` names the setting that holds the id of its Airbyte connection. `configuration`
    returns the connector's configuration for what is tracked; Airbyte alone holds `secrets`.
    The checks that count over STG, CORE and MART stand on
    the mart `gate`. `promises` are what readers are promised of marts, by name.
    """

    name: str
    title: str
    connection: str
    streams: tuple[Stream, ...]
    configuration: Callable[[Tracked], dict[str, Any]]
    secrets: tuple[str, ...] = ()
    budget: Budget | None = None
    gate: str | None = None
    conservation: Conservation | None = None
    refusals: Refusals | None = None
    promises: Mapping[str, Promise] = field(default_factory=dict)

    def __post_init__(self) -> None:
        streams = tuple(replace(stream, source=self.name) for stream in self.streams)
        object.__setattr__(self, "streams", streams)

    @property
    def manifest(self) -> str:
        """The connector's manifest, in `infra/airbyte`."""
        return f"source_{self.name}.yaml"
