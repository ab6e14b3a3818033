"""How text that others wrote (an error, a title, an address) is put on a page. Pure."""

from typing import Final

_SIGNS: Final = frozenset(r"\`*_{}[]()#+-.!|<>$:~")


def plain(text: str) -> str:
    r"""Text as it stands: what Streamlit's Markdown would read as a sign is escaped.

    >>> plain("a *bold* claim")
    'a \\*bold\\* claim'
    """
    return "".join(f"\\{sign}" if sign in _SIGNS else sign for sign in text)
