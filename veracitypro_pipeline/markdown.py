"""Escapes text from outside where it is rendered as Markdown. Pure.

Such text is names of S3 objects, titles and brands, errors, results of checks. Dagster's UI renders
the description of a check's result as Markdown, Streamlit most text of a page. An image in it would
be fetched by the browser of every reader. Both follow GitHub's rules (GFM), which make a link of a
URL even if its punctuation is escaped.
"""

import re
from typing import Final

_SIGNS: Final = frozenset(r"\`*_{}[]()#+-.!|<>$:~&=")
# An invisible character; within a URL it prevents the link.
_JOINER: Final = "\u2060"
_ADDRESS: Final = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@)", re.IGNORECASE)
# Markup within a line: code, emphasis, HTML, escapes, tables, images, links, link definitions,
# entities, URLs.
_IN_LINE: Final = re.compile(
    r"[`*<\\|~$@]|!\[|\][(\[:]|&[#\w]|(?<!\w)_|_(?!\w)|://|\bwww\.", re.IGNORECASE
)
# Markup at the start of a line: headings, quotes, lists, rules.
_AT_START: Final = re.compile(r">|(?:[#+-]+|\d+[.)])(?:\s|$)")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


def escaped(text: str) -> str:
    r"""Markdown that renders as this text; line breaks stay.

    >>> escaped("a *bold* claim")
    'a \\*bold\\* claim'
    """
    unlinked = _ADDRESS.sub(_JOINER, text)
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in unlinked)


def one_line(text: str) -> str:
    r"""The same on one line, with only the words escaped that contain markup, so that most of it is
    also readable as plain text.

    >>> one_line("2 lines of a_b.gz, none of ![x](y)")
    '2 lines of a_b.gz, none of \\!\\[x\\]\\(y\\)'
    """
    words = text.split()
    shown = [escaped(word) if _IN_LINE.search(word) else word for word in words]
    if words and shown[0] == words[0] and _AT_START.match(text.lstrip()):
        shown[0] = escaped(words[0])
    return " ".join(shown)


def as_text(markdown: str) -> str:
    r"""The text that `one_line` got, except for white space; for media without Markdown.

    >>> as_text(one_line("none of ![x](https://example.com)"))
    'none of ![x](https://example.com)'
    """
    return _ESCAPED.sub(r"\1", markdown.replace(_JOINER, ""))
