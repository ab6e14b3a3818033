"""The stand-in for Keepa's API, tested against the documentation and clients of `/product`."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from keepa.constants import csv_indices
from keepa.utils import parse_csv
from starlette.applications import Starlette

from veracitypro_pipeline.local.sources.keepa.app import create_keepa_app
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource, TrackedProduct
from veracitypro_pipeline.local.sources.keepa.products import DirectorySource, ProductSource
from veracitypro_pipeline.local.sources.keepa.token_bucket import TokenBucket
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa.vocabulary import (
    CHANNEL_BY_NAME,
    CHANNELS,
    ChannelKind,
    minute_of,
)

KEY = "the-key-of-the-account"
AT = datetime(2026, 1, 15, 0, 10, tzinfo=UTC)
ASIN = "B0PADDLE01"
CATALOGUE = CatalogueSource([TrackedProduct(1, ASIN, "own", "tour")], extra_asins=24)


class Clock:
    """A clock in seconds that the test advances."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def given_keepa(source: ProductSource = CATALOGUE, bucket: TokenBucket | None = None) -> Starlette:
    return create_keepa_app(api_key=KEY, now=lambda: AT, source=lambda: source, bucket=bucket)


def ask(app: Starlette, path: str = "/product", method: str = "GET", **parameters: Any) -> Any:
    """The answer to a request; `key`, `domain` and `asin` have defaults."""
    query: dict[str, Any] = {"key": KEY, "domain": 1, "asin": ASIN} | {
        name.replace("_", "-"): value for name, value in parameters.items()
    }

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://keepa") as client:
            if method == "POST":
                return await client.post(path, data=query)
            return await client.request(method, path, params=query)

    return asyncio.run(send())


def product_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (product,) = answer.json()["products"]
    return dict(product)


def series(product: Mapping[str, Any], name: str) -> list[int] | None:
    return product["csv"][CHANNEL_BY_NAME[name].index]  # type: ignore[no-any-return]


def asins(count: int) -> str:
    return ",".join(f"B0{number:08d}" for number in range(count))


# --- the envelope ------------------------------------------------------------------------------


def test_an_answer_is_an_envelope_with_the_products_and_the_balance() -> None:
    clock = Clock()
    app = given_keepa(bucket=TokenBucket(20, tokens=300, clock=clock))
    clock.seconds += 15.5

    envelope = ask(app).json()

    assert {name: envelope[name] for name in envelope if name != "products"} == {
        "timestamp": 1_768_435_800_000,
        "tokensLeft": 299,
        "refillIn": 44_500,
        "refillRate": 20,
        "tokenFlowReduction": 0.0,
        "tokensConsumed": 1,
        "processingTimeInMs": envelope["processingTimeInMs"],
    }
    assert [product["asin"] for product in envelope["products"]] == [ASIN]


def test_the_balance_can_be_read_without_spending_a_token() -> None:
    envelope = ask(given_keepa(bucket=TokenBucket(20, tokens=7)), "/token").json()

    assert (envelope["tokensLeft"], envelope["tokensConsumed"]) == (7, 0)
    assert "products" not in envelope


def test_answers_are_compressed_if_the_client_accepts_it() -> None:
    assert ask(given_keepa()).headers["content-encoding"] == "gzip"


def test_a_form_is_as_good_as_a_query() -> None:
    app = given_keepa()
    assert product_of(ask(app, method="POST")) == product_of(ask(app))


def test_each_marketplace_answers_for_its_own_products() -> None:
    assert product_of(ask(given_keepa(), domain=3))["productType"] == 4


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "status", "says"),
    [
        ({"key": "f" * 64}, 402, "API key is invalid"),
        ({"key": "wrong"}, 400, "API key is malformed"),
        ({"domain": 7}, 400, "domain is '7', expected one of 1, 2, 3"),
        ({"domain": "com"}, 400, "domain is 'com', expected an integer"),
        ({"asin": ""}, 400, "asin holds 0 ASINs, expected 1 to 100"),
        ({"asin": asins(101)}, 400, "asin holds 101 ASINs, expected 1 to 100"),
        ({"asin": asins(21), "offers": 20}, 400, "asin holds 21 ASINs, expected 1 to 20"),
        ({"offers": 19}, 400, "offers is 19, expected 20 to 100"),
        ({"days": 0}, 400, "days is 0, expected 1 or more"),
        ({"history": "yes"}, 400, "history is 'yes', expected 0 or 1"),
        ({"stats": "soon"}, 400, "stats is 'soon', expected a number of days or from,to"),
        ({"method": "PUT"}, 405, "Method Not Allowed"),
        ({"path": "/products"}, 404, "Not Found"),
    ],
)
def test_a_refusal_is_an_envelope_with_the_error_and_costs_nothing(
    parameters: dict[str, Any], status: int, says: str
) -> None:
    bucket = TokenBucket(20, tokens=300)
    answer = ask(given_keepa(bucket=bucket), **parameters)

    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert set(answer.json()["error"]) == {"type", "message", "details"}
    assert answer.json()["tokensConsumed"] == 0
    assert bucket.tokens_left == 300


def test_a_hundred_asins_are_answered_and_each_has_an_entry() -> None:
    envelope = ask(given_keepa(), asin=asins(100)).json()

    assert [product["asin"] for product in envelope["products"]] == asins(100).split(",")
    assert envelope["tokensConsumed"] == 100


# --- tokens ------------------------------------------------------------------------------------


def test_a_request_may_overdraw_the_balance_and_the_next_one_waits_for_the_debt() -> None:
    clock = Clock()
    app = given_keepa(bucket=TokenBucket(20, tokens=1, clock=clock))

    assert ask(app, asin=asins(50)).json()["tokensLeft"] == -49

    clock.seconds += 10
    refused = ask(app)
    assert refused.status_code == 429
    assert refused.json()["refillIn"] == 50_000
    assert refused.json()["error"]["type"] == "notEnoughToken"

    clock.seconds += 50 + 60  # -49 + 20 + 20
    assert ask(app).status_code == 429
    clock.seconds += 60
    assert ask(app).json()["tokensLeft"] == 10


def test_tokens_expire_after_an_hour() -> None:
    clock = Clock()
    bucket = TokenBucket(5, clock=clock)
    bucket.spend(250)
    clock.seconds += 24 * 3600

    assert bucket.tokens_left == 300


@pytest.mark.parametrize(
    ("parameters", "tokens"),
    [
        ({}, 1),
        ({"history": 0, "stats": 90, "days": 30, "videos": 1, "aplus": 1}, 1),
        ({"rating": 1}, 2),
        ({"buybox": 1}, 3),
        ({"buybox": 1, "rating": 1}, 4),
        ({"update": 0}, 2),
        ({"asin": "B0NOTHERE0"}, 1),
        ({"asin": "B0NOTHERE0", "update": -1}, 0),
    ],
)
def test_each_parameter_has_its_price(parameters: dict[str, Any], tokens: int) -> None:
    assert ask(given_keepa(), **parameters).json()["tokensConsumed"] == tokens


def test_offers_cost_by_the_page_in_place_of_the_product() -> None:
    for stock, surcharge in ((0, 0), (1, 2)):
        envelope = ask(given_keepa(), offers=20, buybox=1, stock=stock).json()
        found = min(20, len(envelope["products"][0]["offers"]))
        assert envelope["tokensConsumed"] == 6 * -(-found // 10) + surcharge


# --- what parameters do to a product -------------------------------------------------------------


def test_without_parameters_only_the_series_that_always_come_are_sent() -> None:
    product = product_of(ask(given_keepa()))

    for channel, integers in zip(CHANNELS, product["csv"], strict=True):
        assert integers is None or not channel.sent_with, channel.name
    assert series(product, "NEW")
    assert product["salesRanks"]
    for field in ("offers", "stats", "buyBoxSellerIdHistory", "liveOffersOrder"):
        assert product[field] is None
    assert not {"reviews", "videos", "aPlus", "buyBoxUsedHistory"} & set(product)
    assert product["offersSuccessful"] is False


def test_rating_adds_ratings_and_buybox_adds_the_buy_box() -> None:
    app = given_keepa()
    rated, boxed = product_of(ask(app, rating=1)), product_of(ask(app, buybox=1))

    assert series(rated, "RATING")
    assert series(rated, "COUNT_REVIEWS")
    assert rated["reviews"]["reviewCount"]
    assert series(rated, "BUY_BOX_SHIPPING") is None
    assert series(boxed, "BUY_BOX_SHIPPING")
    assert boxed["buyBoxSellerIdHistory"]
    assert series(boxed, "RATING") is None


def test_offers_add_what_is_derived_from_them() -> None:
    product = product_of(ask(given_keepa(), offers=20))

    assert product["offersSuccessful"] is True
    assert product["offers"]
    assert all("stockCSV" not in offer for offer in product["offers"])
    assert product["buyBoxUsedHistory"]
    with_offers_only = [channel for channel in CHANNELS if channel.sent_with == {"offers"}]
    assert any(series(product, channel.name) for channel in with_offers_only)
    with_stock = product_of(ask(given_keepa(), offers=20, stock=1))
    assert all(offer["stockCSV"] for offer in with_stock["offers"])


def test_live_offers_can_be_had_alone() -> None:
    app, query = given_keepa(), ",".join(CATALOGUE.tracked()[1][:20])
    everything = ask(app, offers=20, asin=query).json()["products"]
    live_only = ask(app, offers=20, asin=query, only_live_offers=1).json()["products"]

    assert any(product["offers"] for product in live_only)
    for whole, live in zip(everything, live_only, strict=True):
        expected = [whole["offers"][place] for place in whole["liveOffersOrder"]]
        assert [live["offers"][place] for place in live["liveOffersOrder"]] == expected
        assert len(live["offers"]) == len(expected)


def test_history_0_leaves_the_present() -> None:
    product = product_of(ask(given_keepa(), history=0, stats=30, buybox=1))

    assert product["csv"] is None
    assert product["salesRanks"] is None
    assert "buyBoxSellerIdHistory" not in product
    assert product["title"]
    assert product["stats"]["current"][CHANNEL_BY_NAME["NEW"].index] > 0


def test_days_limit_each_history_but_keep_the_value_in_force_at_their_start() -> None:
    app = given_keepa()
    whole = product_of(ask(app, offers=20, rating=1))
    limited = product_of(ask(app, offers=20, rating=1, days=90))
    start = minute_of(AT) - 90 * 24 * 60

    compared = 0
    for channel, full, cut in zip(CHANNELS, whole["csv"], limited["csv"], strict=True):
        if not full:
            assert not cut
            continue
        assert full[-len(cut) :] == cut
        minutes = cut[:: channel.stride]
        assert all(minute > start for minute in minutes[1:])
        dropped = full[: -len(cut) or None]
        if dropped and len(dropped) < len(full):
            compared += 1
            assert minutes[0] <= start
    assert compared > 5
    live = [limited["offers"][place]["offerId"] for place in limited["liveOffersOrder"]]
    assert live == [whole["offers"][place]["offerId"] for place in whole["liveOffersOrder"]]
    assert len(limited["offers"]) < len(whole["offers"])


def test_statistics_are_landed_prices_weighted_by_time() -> None:
    product = product_of(ask(given_keepa(), offers=20, rating=1, stats=90))
    now = product["lastUpdate"]
    for channel, integers in zip(CHANNELS, product["csv"], strict=True):
        current = product["stats"]["current"][channel.index]
        if not integers:
            assert current == -1
        elif channel.stride == 3 and integers[-2] >= 0:
            assert current == integers[-2] + max(integers[-1], 0)
        else:
            assert current == integers[-channel.stride + 1]
    new = series(product, "NEW")
    assert new
    start, points = now - 30 * 24 * 60, [*pairwise([*new[::2], now])]
    steps = zip(points, new[1::2], strict=True)
    weighted = [(max(0, until - max(since, start)), price) for (since, until), price in steps]
    priced = [(minutes, price) for minutes, price in weighted if price >= 0]
    average = sum(m * price for m, price in priced) / sum(m for m, _ in priced)
    assert product["stats"]["avg30"][1] == pytest.approx(average, abs=1)


def test_an_unknown_asin_is_answered_with_nothing_but_the_time() -> None:
    product = product_of(ask(given_keepa(), asin="B0NOTHERE0"))

    assert product["productType"] == 4
    assert product["csv"] is product["title"] is product["categoryTree"] is None
    assert product["trackingSince"] == product["lastUpdate"] == minute_of(AT)


def test_a_text_that_is_not_an_asin_has_no_entry() -> None:
    """If no text is an ASIN, the response has no list."""
    (product,) = ask(given_keepa(), asin=f"XXXXXXXXXX,{ASIN}").json()["products"]
    assert product["asin"] == ASIN
    assert "products" not in ask(given_keepa(), asin="XXXXXXXXXX").json()


def test_a_malformed_key_has_no_balance() -> None:
    answer = ask(given_keepa(), key="wrong").json()
    assert answer["error"]["type"] == "invalidParameter"
    assert not any(answer[field] for field in ("tokensLeft", "refillIn", "refillRate"))


def test_videos_that_were_asked_for_are_null_where_there_are_none() -> None:
    asked = ask(given_keepa(), asin=",".join(CATALOGUE.tracked()[1]), videos=1)
    assert all("videos" in product for product in asked.json()["products"])
    assert "videos" not in product_of(ask(given_keepa()))


def test_an_unknown_asin_has_the_fields_of_the_real_answer() -> None:
    files = list(Settings().keepa_samples.glob("*_unknown_asin.json"))
    if not files:
        pytest.skip("VP_KEEPA_SAMPLES names no folder with the real answer for an unknown ASIN")
    (file,) = files
    (real,) = json.loads(file.read_text())["products"]
    ours = product_of(ask(given_keepa(), asin=real["asin"], domain=real["domainId"]))

    # The real request asked for statistics.
    differing = {name for name in real if real[name] != ours.get(name, "absent")}
    assert differing == {"lastPriceChange", "lastUpdate", "stats", "trackingSince"}
    assert set(ours) == set(real)


def test_recorded_payloads_are_returned_unchanged(tmp_path: Path) -> None:
    recorded = {"asin": ASIN, "domainId": 1, "csv": [[1, 2, 3]], "offers": [{"x": None}]}
    (tmp_path / "one.json").write_text(json.dumps(recorded))
    app = given_keepa(DirectorySource(tmp_path, 0))

    assert product_of(ask(app, history=0)) == recorded
    assert product_of(ask(app, asin="B0NOTHERE0"))["productType"] == 4


# --- an independent reader -----------------------------------------------------------------------


def test_the_channel_table_agrees_with_the_public_python_client() -> None:
    theirs = [(index, name, has_cents) for index, name, has_cents in csv_indices]

    assert theirs == [
        (channel.index, channel.name, channel.kind in (ChannelKind.PRICE, ChannelKind.RATING))
        for channel in CHANNELS
    ]
    assert [channel.stride == 3 for channel in CHANNELS] == ["SHIPPING" in n for _, n, _ in theirs]


def test_the_public_python_client_reads_the_generated_histories() -> None:
    """PyPI's `keepa` parses the same points, minutes and prices from the response."""
    tracked = ",".join(CATALOGUE.tracked()[1][:20])
    seen = set()
    for product in ask(given_keepa(), asin=tracked, offers=20, rating=1).json()["products"]:
        read = parse_csv(product["csv"], to_datetime=False)
        for channel, integers in zip(CHANNELS, product["csv"], strict=True):
            if not integers:
                assert channel.name not in read
                continue
            minutes = np.datetime64("2011-01-01T00:00") + np.array(integers[:: channel.stride])
            assert (read[f"{channel.name}_time"] == minutes).all()
            if channel.kind is ChannelKind.PRICE and channel.stride == 2:
                prices = [price / 100 if price >= 0 else np.nan for price in integers[1::2]]
                np.testing.assert_allclose(read[channel.name], prices)
            seen.add(channel.name)
    assert len(seen) > 20
