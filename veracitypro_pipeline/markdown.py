"""How text that others wrote is put where Markdown is read, so that it is read as text. Pure.

Others are services and payloads: names of S3 objects, titles and brands, errors, results of checks.
Dagster's UI reads the description of a check's result as Markdown, Streamlit most of what a page
says; an image in it would be fetched by the browser of everybody who looks at it. Both follow
GitHub's rules (GFM), by which an address is a link also where its signs are escaped.
"""

import re
from typing import Final

_SIGNS: Final = frozenset(r"\`*_{}[]()#+-.!|<>$:~&=")
# Stands within an address and cannot be seen, so that none is recognised.
_JOINER: Final = "\u2060"
_ADDRESS: Final = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@)", re.IGNORECASE)
# What Markdown reads within a line: code, emphasis, HTML, escapes, tables, images, links,
# definitions of links, entities, addresses.
_IN_LINE: Final = re.compile(
    r"[`*<\\|~$@]|!\[|\][(\[:]|&[#\w]|(?<!\w)_|_(?!\w)|://|\bwww\.", re.IGNORECASE
)
# What it reads at the start of one: headings, quotes, lists, lines.
_AT_START: Final = re.compile(r">|(?:[#+-]+|\d+[.)])(?:\s|$)")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


def escaped(text: str) -> str:
    r"""Markdown that shows the text as it stands; line breaks remain.

    >>> escaped("a *bold* claim")
    'a \\*bold\\* claim'
    """
    unlinked = _ADDRESS.sub(_JOINER, text)
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in unlinked)


def one_line(text: str) -> str:
    r"""The same as one line, in which only words that Markdown would read are escaped: who reads it
    as plain text finds most of it as it is.

    >>> one_line("2 lines of a_b.gz, none of ![x](y)")
    '2 lines of a_b.gz, none of \\!\\[x\\]\\(y\\)'
    """
    words = text.split()
    shown = [escaped(word) if _IN_LINE.search(word) else word for word in words]
    if words and shown[0] == words[0] and _AT_START.match(text.lstrip()):
        shown[0] = escaped(words[0])
    return " ".join(shown)


def as_text(markdown: str) -> str:
    r"""What `one_line` was made from, but for its white space; for media that read no Markdown.

    >>> as_text(one_line("none of ![x](https://example.com)"))
    'none of ![x](https://example.com)'
    """
    return _ESCAPED.sub(r"\1", markdown.replace(_JOINER, ""))
