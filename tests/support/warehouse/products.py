"""Small made-up products for the warehouse tests, in Keepa's layout."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from veracitypro_pipeline.sources.keepa.vocabulary import CHANNEL_BY_NAME, CHANNELS

ASIN: Final = "B0PADDLE01"

Series = Mapping[str, Sequence[object] | object]


def csv_of(series: Series, length: int = len(CHANNELS)) -> list[object]:
    """A csv array of `length` slots with these series, by channel name."""
    csv: list[object] = [None] * length
    for name, numbers in series.items():
        csv[CHANNEL_BY_NAME[name].index] = numbers
    return csv


def a_product(
    asin: str = ASIN, domain_id: int = 1, series: Series | None = None, **fields: Any
) -> dict[str, Any]:
    """A product with the given series; further keyword arguments are fields, or replace them."""
    return {
        "domainId": domain_id,
        "asin": asin,
        "productType": 0,
        "title": f"Paddle {asin}",
        "csv": csv_of(series or {}),
        **fields,
    }


def an_unknown_asin(asin: str = ASIN, domain_id: int = 1) -> dict[str, Any]:
    """Keepa's answer for an ASIN it does not know (any more)."""
    return {"domainId": domain_id, "asin": asin, "productType": 4}
