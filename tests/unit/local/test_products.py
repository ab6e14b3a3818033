"""Payload files of a folder: which fetch is answered when, and what a wrong file says."""

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from veracitypro_pipeline.local.sources.keepa.products import DirectorySource, PayloadError

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def given_file(folder: Path, name: str, payload: object) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    return file


def a_product(asin: str = "B0PADDLE01", **fields: Any) -> dict[str, Any]:
    return {"asin": asin, "domainId": 1, "lastUpdate": 7_900_000, **fields}


def title_at_turn(folder: Path, turn: int) -> str:
    product = DirectorySource(folder, turn).product(1, "B0PADDLE01", NOON)
    assert product is not None
    return str(product["title"])


def test_objects_and_envelopes_at_any_depth_are_tracked_by_marketplace(tmp_path: Path) -> None:
    given_file(tmp_path, "one.json", a_product("B0PADDLE02"))
    envelope = {"products": [a_product("0061958549"), a_product("B0PADDLE01", domainId=5)]}
    given_file(tmp_path, "deep/er/two.json", envelope)
    given_file(tmp_path, "notes.md", "not a payload")

    assert DirectorySource(tmp_path, 0).tracked() == {
        1: ["0061958549", "B0PADDLE02"],
        5: ["B0PADDLE01"],
    }


FIRST: Final = a_product("B0PADDLE01", title="\u2028 ä")
SECOND: Final = a_product("B0PADDLE02")
LINES: Final = "\n".join(json.dumps(one, ensure_ascii=False) for one in (FIRST, SECOND)).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", json.dumps([FIRST, SECOND]).encode()),
        ("envelopes.json", json.dumps([{"products": [FIRST]}, {"products": [SECOND]}]).encode()),
        ("by_asin.json", json.dumps({"B0PADDLE01": FIRST, "B0PADDLE02": SECOND}).encode()),
        ("lines.jsonl", LINES),
        ("LINES.NDJSON", LINES.replace(b"\n", b"\r\n") + b"\r\n\r\n"),
        ("lines.json", LINES),
        ("marked.json", b"\xef\xbb\xbf" + json.dumps([FIRST, SECOND]).encode()),
        ("packed.json.gz", gzip.compress(json.dumps({"products": [FIRST, SECOND]}).encode())),
        ("packed.jsonl.gz", gzip.compress(b"\xef\xbb\xbf" + LINES)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_clients_keep_is_read_too(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    source = DirectorySource(tmp_path, 0)
    assert source.tracked() == {1: ["B0PADDLE01", "B0PADDLE02"]}
    assert source.product(1, "B0PADDLE01", NOON) == FIRST
    assert source.product(1, "B0PADDLE02", NOON) == SECOND


def test_a_payload_is_answered_as_it_was_recorded(tmp_path: Path) -> None:
    product = a_product(csv=[[1, -1], None], referralFeePercentage=15.01, ünknown={"ns": [1e3]})
    given_file(tmp_path, "one.json", {"timestamp": 1, "products": [product]})

    assert DirectorySource(tmp_path, 0).product(1, "B0PADDLE01", NOON) == product


def test_an_asin_or_marketplace_without_a_file_is_unknown(tmp_path: Path) -> None:
    given_file(tmp_path, "one.json", a_product())
    source = DirectorySource(tmp_path, 0)

    assert source.product(1, "B0OTHER001", NOON) is None
    assert source.product(3, "B0PADDLE01", NOON) is None


def test_each_turn_gives_the_next_fetch_and_the_last_one_stays(tmp_path: Path) -> None:
    given_file(tmp_path, "a.json", a_product(title="third", lastUpdate=7_900_200))
    given_file(tmp_path, "b.json", a_product(title="first", lastUpdate=7_900_000))
    given_file(tmp_path, "c.json", a_product(title="second", lastUpdate=7_900_100))

    assert [title_at_turn(tmp_path, turn) for turn in range(5)] == [
        "first",
        "second",
        "third",
        "third",
        "third",
    ]


def test_the_envelope_says_better_than_last_update_when_a_fetch_was_made(tmp_path: Path) -> None:
    # 7,900,000 Keepa minutes are 1,767,840,000,000 unix ms.
    late = {"timestamp": 1_767_840_060_000, "products": [a_product(title="late", lastUpdate=0)]}
    given_file(tmp_path, "a.json", late)
    given_file(tmp_path, "b.json", a_product(title="early"))

    assert [title_at_turn(tmp_path, turn) for turn in range(2)] == ["early", "late"]


def test_fetches_of_the_same_minute_are_ordered_by_file_name(tmp_path: Path) -> None:
    given_file(tmp_path, "z/a_1.json", a_product(title="first"))
    given_file(tmp_path, "a/a_2.json", a_product(title="second"))

    assert [title_at_turn(tmp_path, turn) for turn in range(2)] == ["first", "second"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r"folder .*nowhere does not exist: name a folder"):
        DirectorySource(tmp_path / "nowhere", 0)


@pytest.mark.parametrize("payload", [None, {"products": []}, {"products": None}])
def test_a_folder_without_any_payload_is_refused(
    tmp_path: Path, payload: Mapping[str, Any] | None
) -> None:
    if payload is not None:
        given_file(tmp_path, "empty.json", payload)
    with pytest.raises(PayloadError, match="holds no payload: put Keepa answers"):
        DirectorySource(tmp_path, 0)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ('{"asin": "B0PADDLE01",\n "domainId" 1}', r"line 2, column 13: Expecting ':'"),
        ("", "line 1, column 1"),
        ('{"asin": "B0PADDLE01", "domainId": 1, "g": NaN}', "NaN is not a JSON number"),
        ([1, 2], "holds a JSON list, expected a product object or an envelope"),
        ({"products": {"asin": "x"}}, "`products` is not a list"),
        ({"products": ["x"]}, "Product 1 of the payload file .* is not a JSON object"),
        ({"domainId": 1}, "has no `asin`"),
        ({"asin": 61958549, "domainId": 1}, "has no `asin`"),
        ({"asin": "B0PADDLE01"}, r"\(B0PADDLE01\) has domainId None, expected one of 1, 2, 3"),
        ({"asin": "B0PADDLE01", "domainId": 7}, "has domainId 7, expected one of"),
    ],
)
def test_a_wrong_file_is_named_with_the_place_and_the_next_step(
    tmp_path: Path, payload: object, says: str
) -> None:
    given_file(tmp_path, "good.json", a_product())
    wrong = given_file(tmp_path, "wrong.json", payload)

    with pytest.raises(PayloadError, match=says) as refusal:
        DirectorySource(tmp_path, 0)

    assert str(wrong) in str(refusal.value)
    assert "remove" in str(refusal.value)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cut.json.gz", gzip.compress(LINES)[:-9], "is not valid JSON"),
        ("cut.jsonl", LINES[:-3], "line 2, column"),
    ],
    ids=["gzip", "lines"],
)
def test_a_file_that_is_cut_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PayloadError, match=says) as refusal:
        DirectorySource(tmp_path, 0)
    assert name in str(refusal.value)


def test_bytes_that_are_no_text_are_no_payload(tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_bytes(b'{"asin": "\xff\xfe"}')
    with pytest.raises(PayloadError, match=r"wrong\.json is not valid JSON"):
        DirectorySource(tmp_path, 0)
