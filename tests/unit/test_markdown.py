"""Escaped text, read by a real Markdown parser, is the same text without markup."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from veracitypro_pipeline.markdown import as_text, escaped, one_line

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# Dagster's and Streamlit's UIs make links of this after parsing (mdast-util-gfm-autolink-literal,
# `transformGfmAutolinkLiterals`).
LINKED = re.compile(r"(?:https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+(?:\.[-\w]+)+", re.IGNORECASE)
ADDRESS = "http://127.0.0.1:3000/graphql?query=mutation"
HOSTILE = (
    f"![x]({ADDRESS})",
    f"a [b c]({ADDRESS} 'title') d",
    f"env=local/![x]({ADDRESS})/a.jsonl.gz",
    f"<img src={ADDRESS}>",
    f"<{ADDRESS}>",
    f"see {ADDRESS}, www.example.com and a@example.com",
    "[x]: /graphql",
    "![x][y] [z]",
    "# head",
    "- a list",
    "12) a list",
    "> said",
    "**bold** and _slanted_ and ~~gone~~ and `code`",
    "&lt;b&gt; \\![x](y) &#33;",
    "| a |",
    "first\n# second\n\n    third\n===\n---\n| a |\n| - |",
)


def shown(markdown: str) -> str:
    """The text of the Markdown, which must have no markup but paragraphs."""
    blocks = PARSER.parse(markdown)
    assert {block.type for block in blocks} <= {"paragraph_open", "inline", "paragraph_close"}
    parts = [part for block in blocks for part in block.children or []]
    assert {part.type for part in parts} <= {"text", "softbreak"}
    text = "".join(part.content if part.type == "text" else "\n" for part in parts)
    assert not LINKED.search(text)
    return text.replace("\u2060", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_unchanged(text: str) -> None:
    assert shown(one_line(text)) == as_text(one_line(text)) == " ".join(text.split())
    first = text.splitlines()[0]
    assert shown(escaped(first)) == first


@given(st.text("![](){}<>*_`~#>+-=|\\&@:;/.,$'\" \n1aw", max_size=40))
def test_any_text_is_shown_unchanged(text: str) -> None:
    flat = " ".join(text.split())
    assert shown(one_line(text)) == as_text(one_line(text)) == flat


@pytest.mark.parametrize(
    "text",
    [
        "Airbyte job 7 read 24 records.",
        "2026-01-31: RAW rows 24 = accepted 24 + refused 0; 3,456 points are 3456 changes in CORE.",
        "env=prod/source=keepa/stream=product_raw/2026_01_31_1_0.jsonl.gz is gone (3 lines)",
        "Lines of another sync: {'8': 2}; files that no sync wrote: ['a.gz'].",
        "usual is 18 to 30 (median 24 of the last 9 good nights)",
    ],
)
def test_ordinary_text_is_not_escaped(text: str) -> None:
    assert one_line(text) == text == shown(text)
