"""The protocol of a product source for the local Keepa, and the one that reads payload files."""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from veracitypro_pipeline.sources.keepa.vocabulary import MARKETPLACES, unix_ms_of

Product = dict[str, Any]

# The timestamp of a response (unix ms, or None), and a product in it.
_Recorded = tuple[int | None, Any]

FILE_ENDINGS: Final = tuple(
    f".{kind}{packed}" for kind in ("json", "jsonl", "ndjson") for packed in ("", ".gz")
)
_ENDINGS: Final = ", ".join(f"*{ending}" for ending in FILE_ENDINGS)
_GZIP: Final = b"\x1f\x8b"
# Python's message about a second document.
_EXTRA: Final = "Extra data"
# A fetch without a time comes before all other fetches of its product.
_NO_FETCH_TIME: Final = -1


class PayloadError(ValueError):
    """The payload files cannot be used. The message is one sentence with the next step."""


class ProductSource(Protocol):
    """The products that the local Keepa knows."""

    @property
    def is_recorded(self) -> bool:
        """True if payloads are returned unchanged, whatever fields the request asks for."""
        ...

    def tracked(self) -> dict[int, list[str]]:
        """The ASINs to fetch, sorted, by marketplace (domain id)."""
        ...

    def product(self, domain_id: int, asin: str, at: datetime) -> Product | None:
        """The product object that Keepa would return at the UTC instant; None if unknown to it."""
        ...


@dataclass(frozen=True, order=True)
class _Fetch:
    """The place of one fetch of a product in the files; sorts by the time of the fetch."""

    fetched_at_ms: int
    file_name: str
    path: Path
    position: int


class DirectorySource:
    """Payload files, as recorded from Keepa or as its clients store them.

    Reads all files below the folder, at any depth, that end in one of `FILE_ENDINGS`. A file holds
    a product object, an envelope with `products`, a list of these, an object of products by ASIN,
    or one of these per line. Of a product with several fetches, fetch number `turn` is returned
    (0-based, the number of days simulated before), or the last one if there are fewer. Fetches are
    ordered by the envelope's timestamp, or else by `lastUpdate`, then by file name.

    Raises:
        PayloadError: the folder or a file in it is missing, broken or not a Keepa payload.
    """

    is_recorded: Final = True

    def __init__(self, directory: Path, turn: int) -> None:
        self._fetches = _index(directory)
        self._turn = turn
        # Products are read again at each request, because a large folder does not fit into memory.
        # The last two files are cached: products of one envelope are requested one after another.
        self._read_version = lru_cache(maxsize=2)(lambda path, _version: _read(path))

    def tracked(self) -> dict[int, list[str]]:
        by_domain = defaultdict[int, list[str]](list)
        for domain_id, asin in sorted(self._fetches):
            by_domain[domain_id].append(asin)
        return dict(by_domain)

    def product(
        self,
        domain_id: int,
        asin: str,
        at: datetime,  # noqa: ARG002 - the turn selects the fetch, not the time
    ) -> Product | None:
        fetches = self._fetches.get((domain_id, asin))
        if fetches is None:
            return None
        fetch = fetches[min(self._turn, len(fetches) - 1)]
        _, product = self._read_version(fetch.path, _version(fetch.path))[fetch.position]
        return dict(product)


def _index(directory: Path) -> dict[tuple[int, str], list[_Fetch]]:
    if not directory.is_dir():
        raise PayloadError(
            f"The products folder {directory} does not exist: name a folder with Keepa payload"
            f" files ({_ENDINGS})."
        )
    fetches = defaultdict[tuple[int, str], list[_Fetch]](list)
    for path in sorted(directory.rglob("*")):
        if path.name.lower().endswith(FILE_ENDINGS) and path.is_file():
            for key, fetch in _fetches_in(path):
                fetches[key].append(fetch)
    if not fetches:
        raise PayloadError(
            f"The products folder {directory} holds no payload: put Keepa answers or product"
            f" objects into it as files ({_ENDINGS})."
        )
    return {key: sorted(of_product) for key, of_product in fetches.items()}


def _fetches_in(path: Path) -> Iterator[tuple[tuple[int, str], _Fetch]]:
    for position, (timestamp, product) in enumerate(_read(path)):
        key = _key(path, position, product)
        fetched_at_ms = timestamp if timestamp is not None else _last_update_ms(product)
        yield key, _Fetch(fetched_at_ms, path.name, path, position)


def _read(path: Path) -> list[_Recorded]:
    """The products of one payload file, each with the timestamp of its response."""
    try:
        return [
            found
            for payload in _payloads(path)
            for found in _products(path, payload, type(payload).__name__)
        ]
    except json.JSONDecodeError as error:
        raise PayloadError(
            f"The payload file {path} is not valid JSON (line {error.lineno}, column {error.colno}:"
            f" {error.msg}): repair or remove it."
        ) from error
    except PayloadError:
        raise
    except (ValueError, EOFError, zlib.error) as error:
        # Bytes that are not UTF-8, a number that JSON does not allow, or a truncated gzip file.
        raise PayloadError(
            f"The payload file {path} is not valid JSON ({error}): repair or remove it."
        ) from error
    except OSError as error:
        raise PayloadError(
            f"The payload file {path} cannot be read ({error.strerror or error}): make it readable"
            " or remove it."
        ) from error


def _payloads(path: Path) -> Iterator[Any]:
    """The JSON documents of a file: one, or one per line."""
    content = path.read_bytes()
    if content.startswith(_GZIP):
        content = gzip.decompress(content)
    text = content.decode(json.detect_encoding(content), "surrogatepass")
    try:
        yield json.loads(text, parse_constant=_refuse_constant)
        return
    except json.JSONDecodeError as error:
        # A second document follows, on a line of its own.
        is_first_of_lines = error.msg == _EXTRA and "\n" in text[: error.pos]
        if not is_first_of_lines:
            raise
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line, parse_constant=_refuse_constant)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}, column {error.colno}: {error.msg}") from error


def _products(path: Path, payload: Any, kind: str) -> Iterator[_Recorded]:
    """The products of one document, which is a JSON `kind`."""
    if isinstance(payload, list):
        for one in payload:
            yield from _products(path, one, kind)
    elif not isinstance(payload, dict):
        raise PayloadError(
            f"The payload file {path} holds a JSON {kind}, expected a product object or an envelope"
            " with `products`, a list of these, or products by ASIN: repair or remove it."
        )
    elif "products" in payload:
        timestamp = payload.get("timestamp")
        products = payload["products"] or []
        if not isinstance(products, list):
            raise PayloadError(
                f"In the payload file {path} `products` is not a list: repair or remove the file."
            )
        for product in products:
            yield timestamp if isinstance(timestamp, int) else None, product
    elif payload and all(_is_product_of(asin, product) for asin, product in payload.items()):
        for product in payload.values():
            yield None, product
    else:
        yield None, payload


def _is_product_of(asin: str, product: Any) -> bool:
    return isinstance(product, dict) and product.get("asin") == asin


def _version(path: Path) -> int:
    """When a file was last written (unix ns); -1 if it is gone, and reading it then fails."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _key(path: Path, position: int, product: object) -> tuple[int, str]:
    where = f"Product {position + 1} of the payload file {path}"
    if not isinstance(product, Mapping):
        raise PayloadError(f"{where} is not a JSON object: repair or remove the file.")
    asin, domain_id = product.get("asin"), product.get("domainId")
    if not isinstance(asin, str) or not asin:
        raise PayloadError(
            f"{where} has no `asin`: use the product object as Keepa sent it, or remove the file."
        )
    if type(domain_id) is not int or domain_id not in MARKETPLACES:
        raise PayloadError(
            f"{where} ({asin}) has domainId {domain_id!r}, expected one of"
            f" {', '.join(map(str, MARKETPLACES))}: use the product object as Keepa sent it, or"
            " remove the file."
        )
    return domain_id, asin


def _last_update_ms(product: Mapping[str, Any]) -> int:
    last_update = product.get("lastUpdate")
    return unix_ms_of(last_update) if isinstance(last_update, int) else _NO_FETCH_TIME
