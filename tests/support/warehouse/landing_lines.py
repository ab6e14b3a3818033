"""Lines of a landing file, sound and broken, which both engines must read the same."""

import json
from typing import Any


def envelope(data: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(
        {
            "_airbyte_raw_id": f"id of {data['asin']}",
            "_airbyte_extracted_at": 1_767_225_600_000,
            "_airbyte_data": data,
            **fields,
        },
        ensure_ascii=False,
    ).encode()


LINES = (
    envelope({"asin": "061958549X", "csv": None, "title": "Schläger \"羽子板\" \\ 'x' | a, b\tc"}),
    envelope({"asin": "B"}, _airbyte_extracted_at="1767225600000"),
    envelope({"asin": "C"}, _airbyte_extracted_at="2026-01-01T01:00:00+01:00"),
    envelope({"asin": "D"}, _airbyte_extracted_at="soon"),
    envelope({"asin": "E"}, _airbyte_extracted_at=None),
    b'{"_airbyte_raw_id":"root","asin":"F"}',
    b"",
    b" ",
    b"{",
    b"[1]",
    b"null",
    b"7",
    b'"text"',
    b'{"_airbyte_data": 3}',
    b'{"_airbyte_data": null}',
    b'{"asin":"X","asin":"Y"}',
    b'{"_airbyte_data":{"asin":"X","asin":"Y"}}',
    b"windows line end\r",
    envelope({"asin": "G"}) + b"\r",
    # Halves of pairs, in a value and in a key, beside a whole pair and a backslash of the text.
    rb'{"asin":"H","t":"a\udc00 \ud83d\uD83D\uDE00 \\ud83d","k":{"\ud83d":["\udfff"]}}',
    envelope({"asin": "H"}).replace(b"1767225600000", b"1767225600000.0"),
    envelope({"asin": "I"}).replace(b"1767225600000", b"17672256e5"),
    envelope({"asin": "J", "title": 'a,,b [,] {, .5 5. "\\", ] ,}'}),
    b'{"asin":"K","csv":[1,,2]}',
    b'{"asin":"K","csv":[ ,1]}',
    b'{"asin":"K","csv":.5}',
)
