"""Text from outside, printed safely: control characters are escaped.

Titles, file names and messages of services come from outside. An escape sequence in one of them
could otherwise rename the window or hide a line.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# The least width of output that is not a terminal; narrower tables would be cut.
_NARROWEST: Final = 100


def shown(text: str) -> str:
    """The text with control characters as escapes.

    >>> shown("\\x1b[2Jgone")
    '\\\\x1b[2Jgone'
    """
    if _is_all_harmless(text):
        return text
    return "".join(one if _is_harmless(one) else ascii(one)[1:-1] for one in text)


def shown_json(document: str) -> str:
    """The same for a JSON document, which stays valid with the same values."""
    if _is_all_harmless(document):
        return document
    return "".join(one if _is_harmless(one) else json.dumps(one)[1:-1] for one in document)


def _is_all_harmless(text: str) -> bool:
    """A fast path: most text is, and this is a hundred times faster than a look at each
    character."""
    return text.replace("\n", "").isprintable()


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character == "\n"


class Screen(Console):
    """A console for plain text and tables of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """All output passes here; colours and cursor moves are not part of a segment's text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=self._shown(segment.text))

    def _shown(self, text: str) -> str:
        """Without UTF-8, the en dash of an unknown count becomes a hyphen."""
        has_dashes = self.encoding.lower().startswith("utf")
        return shown(text if has_dashes else text.replace("\N{EN DASH}", "-"))


def output() -> Screen:
    """Standard output; if it is not a terminal, wide enough for our tables."""
    screen = Screen()
    if screen.width < _NARROWEST and not screen.is_terminal:
        return Screen(width=_NARROWEST)
    return screen
