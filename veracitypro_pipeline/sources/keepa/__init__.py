"""Keepa: prices, ranks and offers of the tracked products, with their whole histories.

What it says and means is in `vocabulary.py`.
"""

from typing import Any, Final

from veracitypro_pipeline.service_levels import MARTS
from veracitypro_pipeline.sources.keepa.conservation import CONSERVATION
from veracitypro_pipeline.sources.keepa.refusals import REFUSALS
from veracitypro_pipeline.sources.source import Budget, Source, Stream, Tracked

# Ratings and the buy box cost tokens; the models read both.
OPTIONS: Final = {"rating": True, "buybox": True}


def configuration(tracked: Tracked) -> dict[str, Any]:
    """The connector's configuration, as its manifest specifies it, without the API key."""
    marketplaces = [
        {"domain_id": domain_id, "asins": list(asins)} for domain_id, asins in tracked.items()
    ]
    return {"marketplaces": marketplaces, **OPTIONS}


KEEPA: Final = Source(
    name="keepa",
    title="Keepa",
    connection="airbyte_connection_id",
    streams=(Stream("product_raw", table="KEEPA_RAW"),),
    configuration=configuration,
    secrets=("api_key",),
    budget=Budget(unit="tokens", a_record="keepa_tokens_per_product"),
    gate="dim_product",
    conservation=CONSERVATION,
    refusals=REFUSALS,
    promises=MARTS,
)
# Its one stream, named after its source.
PRODUCT_RAW: Final = KEEPA.streams[0]
