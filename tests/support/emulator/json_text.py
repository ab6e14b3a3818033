"""JSON as Snowflake reads it.

Source: measurements of Frostlake, another emulator, on accounts. (Snowflake's documentation says
little about the text of a number.)
"""

import json
import re
from decimal import Decimal
from typing import Final

# A string, or a number in one of JSON's spellings.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(\.\d+)?([eE][+-]?\d+)?')
# Text that is not JSON but Snowflake accepts, and the value that it reads.
_HOLE: Final = re.compile(r"([\[,]\s*)(?=,)|(,\s*)(?=\])")
_COMMA_OF_OBJECT: Final = re.compile(r",(\s*\})")
_BARE_FRACTION: Final = re.compile(r"(?<![\d])\.(?=\d)")
_STRING: Final = re.compile(r'("(?:[^"\\]|\\.)*")')


def variant_text(text: str) -> str:
    """The JSON that Snowflake stores for a text; the text itself if it is not JSON.

    Whole numbers lose a fraction of zeros. One with an exponent is a double. An array has an
    element wherever a comma leaves one out; the last one may be followed by a comma, and counts.
    """
    for candidate in (text, _repaired(text)):
        try:
            json.loads(candidate)
        except ValueError:
            continue
        return _TOKEN.sub(_canonical, candidate)
    return text


def _canonical(token: re.Match[str]) -> str:
    fraction, exponent = token.groups()
    if exponent:
        return f"{float(token.group()):.15e}"
    if fraction:
        number = Decimal(token.group())
        return f"{number.normalize():f}" if number else "0"
    return token.group()


def _repaired(text: str) -> str:
    parts = _STRING.split(text)
    # Outside of strings, which have odd positions.
    marked = "".join(part if place % 2 == 0 else f'"{place}"' for place, part in enumerate(parts))
    repaired = _HOLE.sub(r"\1\2null", _HOLE.sub(r"\1\2null", marked))
    repaired = _BARE_FRACTION.sub("0.", _COMMA_OF_OBJECT.sub(r"\1", repaired))
    return re.sub(r'"(\d+)"', lambda string: parts[int(string.group(1))], repaired)
