"""Real Keepa payloads run night by night through the whole graph.

The tables are compared with the reference (`tests/support/warehouse/reference.py`) and with the
public Python client of Keepa. The output has the number of compared values (`pytest -rP`).
"""

import json
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import keepa
import pytest

from tests.support.home import Home, counts
from tests.support.warehouse import reference
from tests.support.warehouse.reference import Fetch
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS, EPOCH, MARKETPLACES, ChannelKind

pytestmark = pytest.mark.xdist_group("real payloads")

LAST, NIGHTS = date(2026, 9, 30), 3
PRICE_CHANNELS = {channel.name for channel in CHANNELS if channel.kind is ChannelKind.PRICE}
Key = tuple[int, str]


@pytest.fixture(scope="module")
def recorded() -> dict[Key, list[Any]]:
    """The fetches of each product, in the order of the nights that return them."""
    products = defaultdict[Key, list[Any]](list)
    files = defaultdict[Key, list[Any]](list)
    folder = Settings().keepa_samples
    for file in folder.rglob("*.json"):
        payload = json.loads(file.read_text())
        for product in payload.get("products") or ([payload] if "asin" in payload else []):
            at = payload.get("timestamp") or (product["lastUpdate"] + 21_564_000) * 60_000
            files[product["domainId"], product["asin"]].append((at, file.name, product))
    for key, fetches in files.items():
        products[key] = [product for _, _, product in sorted(fetches, key=lambda one: one[:2])]
    if not products:
        pytest.skip(f"VP_KEEPA_SAMPLES names no folder with real payloads: {folder}")
    return dict(products)


@pytest.fixture(scope="module")
def nights(home: Home, recorded: dict[Key, list[Any]]) -> dict[str, Any]:
    folder = Settings().keepa_samples.resolve()
    return home.run("--products", str(folder), "--days", str(NIGHTS), "--date", str(LAST))


@pytest.fixture(scope="module")
def played(recorded: dict[Key, list[Any]]) -> dict[Key, list[Fetch]]:
    """The payload of each product in each night: the next recorded one, or the last one again."""
    first = LAST - timedelta(days=NIGHTS - 1)
    return {
        key: [
            Fetch(
                products[min(night, len(products) - 1)],
                datetime.combine(first + timedelta(days=night + 1), datetime.min.time()),
                first + timedelta(days=night),
            )
            for night in range(NIGHTS)
        ]
        for key, products in recorded.items()
    }


def test_every_payload_passes_every_stage(
    home: Home, nights: dict[str, Any], recorded: dict[Key, list[Any]]
) -> None:
    """Of a product with several recorded answers, each night brings the next."""
    every = len(recorded)
    for run in nights["runs"]:
        stages = counts(run)
        for stage in ("ingest", "landing", "raw", "stg"):
            assert stages[stage] == (every, every, 0)
    assert home.query("select count(*) from STG.STG_KEEPA_FETCH where not is_repeat") == [
        (every * NIGHTS,)
    ]
    assert home.query(
        "select count(*) from MART.DIM_PRODUCT where last_fetched_at is not null"
    ) == [(every,)]


def test_price_points_are_those_of_the_payloads_merged(
    home: Home, nights: dict[str, Any], played: dict[Key, list[Fetch]]
) -> None:
    expected = {
        (*key, name, (EPOCH + timedelta(minutes=minute)).replace(tzinfo=None)): (
            reference.amount(point.value, key[0]),
            None if point.second is None else reference.amount(point.second, key[0]),
            reference.state(point.value),
        )
        for key, fetches in played.items()
        for name, points in reference.merged(fetches).items()
        if name in PRICE_CHANNELS
        for minute, point in points.items()
    }
    rows = home.query(
        "select domain_id, asin, price_channel, changed_at, price, shipping, state"
        " from STG.STG_KEEPA_PRICE"
    )
    assert len(rows) == len(expected) > 20_000
    assert {row[:4]: row[4:] for row in rows} == expected
    sys.stdout.write(f"{len(rows)} price points compared with plain Python\n")


def test_price_points_are_those_of_keepas_python_client(
    home: Home, nights: dict[str, Any], played: dict[Key, list[Fetch]]
) -> None:
    """For each product's newest fetch. The client's known bugs are avoided: it cannot read a short
    csv, divides yen by 100, and adds negative shipping to a price."""
    rows = home.query(
        "select domain_id, asin, price_channel, changed_at, landed_price from STG.STG_KEEPA_PRICE"
    )
    ours = {row[:4]: row[4] for row in rows}
    compared = 0
    for (domain_id, asin), fetches in played.items():
        csv = fetches[-1].product["csv"] or []
        theirs = keepa.parse_csv([*csv, *[None] * (len(CHANNELS) - len(csv))])
        for channel in CHANNELS:
            if channel.name not in PRICE_CHANNELS or channel.name not in theirs:
                continue
            numbers = csv[channel.index]
            places = zip(theirs[f"{channel.name}_time"], theirs[channel.name], strict=True)
            for place, (at, value) in enumerate(places):
                shipping = numbers[place * 3 + 2] if channel.stride == 3 else 0
                if shipping < 0 <= numbers[place * channel.stride + 1]:
                    continue
                exponent = MARKETPLACES[domain_id].exponent
                landed = None if value != value else Decimal(round(value * 100)).scaleb(-exponent)
                key = (domain_id, asin, channel.name, at.replace(tzinfo=None))
                assert ours[key] == landed, key
                compared += 1
    assert compared > 20_000
    sys.stdout.write(f"{compared} price points compared with the client\n")
