"""Where the local Keepa takes its products from: the protocol, and payload files of a folder.

The generated products are in `catalogue.py`; HTTP is in `keepa.py`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from veracitypro_pipeline.keepa import MARKETPLACES, unix_ms_of

Product = dict[str, Any]

# A fetch without any time stands before all others of its product.
_NO_FETCH_TIME: Final = -1


class PayloadError(ValueError):
    """The payload files cannot be used. The message is one sentence with the next step."""


class ProductSource(Protocol):
    """The products which the local Keepa knows."""

    @property
    def is_recorded(self) -> bool:
        """True: payloads are given out as they are, whatever fields the request asks for."""
        ...

    def tracked(self) -> dict[int, list[str]]:
        """The ASINs to fetch, sorted, by marketplace (domain id)."""
        ...

    def product(self, domain_id: int, asin: str, at: datetime) -> Product | None:
        """The product object as Keepa would answer at the UTC instant; None if unknown to it."""
        ...


@dataclass(frozen=True, order=True)
class _Fetch:
    """Where one fetch of a product stands; ordered as the fetches were made."""

    fetched_at_ms: int
    file_name: str
    path: Path
    position: int


class DirectorySource:
    """Payload files, as recorded from Keepa: a product object or an envelope with `products` each.

    All `*.json` below the folder are read, at any depth. A product with several fetches is answered
    with fetch number `turn` (0-based, the days played so far), and with its last once they run out.
    Fetches are ordered by the envelope's timestamp, or else by `lastUpdate`, then by file name.

    Raises:
        PayloadError: the folder or a file in it is missing, broken or no Keepa payload.
    """

    is_recorded: Final = True

    def __init__(self, directory: Path, turn: int) -> None:
        self._fetches = _index(directory)
        self._turn = turn
        # Read again when asked for, since a large folder does not fit into memory; but an envelope
        # of many products, which are asked for one after the other, only once per version.
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
        at: datetime,  # noqa: ARG002 - recorded payloads know no other time than their turn
    ) -> Product | None:
        fetches = self._fetches.get((domain_id, asin))
        if fetches is None:
            return None
        fetch = fetches[min(self._turn, len(fetches) - 1)]
        _, products = self._read_version(fetch.path, _version(fetch.path))
        return dict(products[fetch.position])


def _index(directory: Path) -> dict[tuple[int, str], list[_Fetch]]:
    if not directory.is_dir():
        raise PayloadError(
            f"The products folder {directory} does not exist: name a folder with Keepa payload"
            " files (*.json)."
        )
    fetches = defaultdict[tuple[int, str], list[_Fetch]](list)
    for path in sorted(directory.rglob("*.json")):
        if path.is_file():
            for key, fetch in _fetches_in(path):
                fetches[key].append(fetch)
    if not fetches:
        raise PayloadError(
            f"The products folder {directory} holds no payload: put Keepa answers or product"
            " objects into it as *.json files."
        )
    return {key: sorted(of_product) for key, of_product in fetches.items()}


def _fetches_in(path: Path) -> Iterator[tuple[tuple[int, str], _Fetch]]:
    timestamp, products = _read(path)
    for position, product in enumerate(products):
        key = _key(path, position, product)
        fetched_at_ms = timestamp if timestamp is not None else _last_update_ms(product)
        yield key, _Fetch(fetched_at_ms, path.name, path, position)


def _read(path: Path) -> tuple[int | None, list[Any]]:
    """The timestamp (unix ms, None if there is none) and the products of one payload file."""
    try:
        payload = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise PayloadError(
            f"The payload file {path} is no valid JSON (line {error.lineno}, column {error.colno}:"
            f" {error.msg}): repair or remove it."
        ) from error
    except ValueError as error:  # Bytes that are no text, or a number that JSON does not have.
        raise PayloadError(
            f"The payload file {path} is no valid JSON ({error}): repair or remove it."
        ) from error
    except OSError as error:
        raise PayloadError(
            f"The payload file {path} cannot be read ({error.strerror}): make it readable or"
            " remove it."
        ) from error
    if not isinstance(payload, dict):
        raise PayloadError(
            f"The payload file {path} holds a JSON {type(payload).__name__}, expected a product"
            " object or an envelope with `products`: repair or remove it."
        )
    if "products" not in payload:
        return None, [payload]
    timestamp = payload.get("timestamp")
    products = payload["products"] or []
    if not isinstance(products, list):
        raise PayloadError(
            f"In the payload file {path} `products` is no list: repair or remove the file."
        )
    return timestamp if isinstance(timestamp, int) else None, products


def _version(path: Path) -> int:
    """When a file was last written (unix ns); -1 if it is gone, which reading it then tells."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _key(path: Path, position: int, product: object) -> tuple[int, str]:
    where = f"Product {position + 1} of the payload file {path}"
    if not isinstance(product, Mapping):
        raise PayloadError(f"{where} is no JSON object: repair or remove the file.")
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
