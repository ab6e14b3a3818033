"""The sources: one declaration each. README, "Add a source", has the steps for another one."""

from typing import Final

from veracitypro_pipeline.sources.keepa import KEEPA
from veracitypro_pipeline.sources.source import Source, Stream

SOURCES: Final[tuple[Source, ...]] = (KEEPA,)
STREAMS: Final[tuple[Stream, ...]] = tuple(
    stream for source in SOURCES for stream in source.streams
)
