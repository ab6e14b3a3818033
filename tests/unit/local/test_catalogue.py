"""The generated catalogue: fixed for all time, growing day by day, shaped like real answers."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource, TrackedProduct
from veracitypro_pipeline.sources.keepa.vocabulary import (
    CHANNEL_BY_NAME,
    CHANNELS,
    EPOCH,
    NO_VALUE,
    ChannelKind,
    minute_of,
)

# One worker makes the catalogue.
pytestmark = pytest.mark.xdist_group("catalogue")

AT = datetime(2026, 1, 15, 0, 10, tzinfo=UTC)
DAYS = 3
OWN = TrackedProduct(1, "B0PADDLE01", "own", "carbon_tour")
JAPANESE = TrackedProduct(5, "B0PADDLE01", "own", "carbon_tour")


@pytest.fixture(scope="module")
def source() -> CatalogueSource:
    return CatalogueSource([OWN, JAPANESE], extra_asins=30)


@pytest.fixture(scope="module")
def days(source: CatalogueSource) -> list[list[dict[str, Any]]]:
    """Every product of amazon.com, read on consecutive nights."""
    return [
        [fetch(source, 1, asin, AT + timedelta(days=day)) for asin in source.tracked()[1]]
        for day in range(DAYS)
    ]


def fetch(source: CatalogueSource, domain_id: int, asin: str, at: datetime) -> dict[str, Any]:
    product = source.product(domain_id, asin, at)
    assert product is not None
    return product


def series_of(product: dict[str, Any]) -> Iterator[tuple[str, int, list[int]]]:
    """Name, stride and integers of each price, rank and count history of a product."""
    for channel, integers in zip(CHANNELS, product["csv"], strict=True):
        if integers:
            yield channel.name, channel.stride, integers
    for category_id, integers in product["salesRanks"].items():
        yield f"rank in {category_id}", 2, integers


def test_the_tracked_products_and_the_invented_competitors_are_listed(
    source: CatalogueSource,
) -> None:
    tracked = source.tracked()

    assert tracked[5] == ["B0PADDLE01"]
    assert len(tracked[1]) == 31
    assert tracked[1] == sorted(tracked[1])


def test_the_same_question_gets_the_same_answer_in_another_process(
    source: CatalogueSource,
) -> None:
    asked = (
        "import hashlib, json\n"
        "from veracitypro_pipeline.local.sources.keepa.catalogue import *\n"
        f"source = CatalogueSource([{OWN!r}])\n"
        f"product = source.product(1, {OWN.asin!r}, datetime.fromisoformat({AT.isoformat()!r}))\n"
        "print(hashlib.sha256(json.dumps(product).encode()).hexdigest())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    ours = json.dumps(source.product(1, OWN.asin, AT))
    assert answer.stdout.strip() == hashlib.sha256(ours.encode()).hexdigest()


def test_seed_marketplace_and_asin_each_give_another_history(source: CatalogueSource) -> None:
    histories = [
        fetch(source, 1, OWN.asin, AT)["csv"],
        fetch(source, 5, OWN.asin, AT)["csv"],
        fetch(source, 1, source.tracked()[1][-1], AT)["csv"],
        fetch(CatalogueSource([OWN], seed=1), 1, OWN.asin, AT)["csv"],
    ]
    assert all(one != other for one, other in pairwise(histories))


def test_an_asin_that_is_not_tracked_or_not_yet_seen_is_unknown(source: CatalogueSource) -> None:
    assert source.product(1, "B0NOTHERE0", AT) is None
    assert source.product(3, OWN.asin, AT) is None
    assert source.product(1, OWN.asin, EPOCH) is None


def test_from_one_night_to_the_next_most_series_stay_and_some_grow(
    days: list[list[dict[str, Any]]],
) -> None:
    same = appended = withdrawn = 0
    for tonight, tomorrow in pairwise(days):
        for before, after in zip(tonight, tomorrow, strict=True):
            later = {name: integers for name, _, integers in series_of(after)}
            for name, stride, integers in series_of(before):
                if later[name] == integers:
                    same += 1
                elif later[name][: len(integers)] == integers:
                    appended += 1
                else:
                    # Only the newest point can be taken back.
                    withdrawn += 1
                    assert later[name][: len(integers) - stride] == integers[:-stride]
    total = same + appended + withdrawn
    assert 0.90 < same / total < 0.96
    assert 0.04 < appended / total < 0.10
    assert withdrawn / total < 0.004


def test_over_years_points_are_withdrawn_now_and_then(source: CatalogueSource) -> None:
    """About one per series in three years, and it is missing for good."""
    years_ago = fetch(source, 1, OWN.asin, AT - timedelta(days=400))
    lost = 0
    later = {name: integers for name, _, integers in series_of(fetch(source, 1, OWN.asin, AT))}
    for name, stride, integers in series_of(years_ago):
        kept = set(later[name][::stride])
        lost += sum(minute not in kept for minute in integers[::stride])
    assert 1 <= lost <= 30


def test_fetches_of_one_hour_are_equal_and_never_know_the_future(source: CatalogueSource) -> None:
    product = fetch(source, 1, OWN.asin, AT)
    now = minute_of(AT)

    assert now - 60 < product["lastUpdate"] <= now
    for _, stride, integers in series_of(product):
        assert integers[-stride] <= product["lastUpdate"]
    refreshed = AT + timedelta(minutes=60 - (now - product["lastUpdate"]))
    assert source.product(1, OWN.asin, refreshed - timedelta(minutes=1)) == product
    assert fetch(source, 1, OWN.asin, refreshed)["lastUpdate"] == product["lastUpdate"] + 60


def test_histories_are_whole_points_in_strictly_ascending_minutes(
    days: list[list[dict[str, Any]]],
) -> None:
    for product in days[0]:
        assert len(product["csv"]) == len(CHANNELS)
        for name, stride, integers in series_of(product):
            minutes = integers[::stride]
            assert len(integers) % stride == 0, name
            assert all(earlier < later for earlier, later in pairwise(minutes)), name
            assert minutes[0] >= product["trackingSince"], name


def test_list_prices_and_deals_switch_on_and_off(days: list[list[dict[str, Any]]]) -> None:
    for name in ("LISTPRICE", "LIGHTNING_DEAL", "PRIME_EXCL"):
        index = CHANNEL_BY_NAME[name].index
        values = [integers[1::2] for integers in (p["csv"][index] for p in days[0]) if integers]
        none = sum(value == NO_VALUE for of_product in values for value in of_product)
        assert none / sum(map(len, values)) == pytest.approx(0.5, abs=0.1)


def test_prices_are_those_of_paddles(days: list[list[dict[str, Any]]]) -> None:
    for product in days[0]:
        for name in ("AMAZON", "NEW", "NEW_FBA", "BUY_BOX_SHIPPING"):
            channel = CHANNEL_BY_NAME[name]
            integers = product["csv"][channel.index] or []
            prices = [price for price in integers[1 :: channel.stride] if price >= 0]
            assert all(1_500 <= price <= 30_000 for price in prices), name


def test_yen_have_no_cents(source: CatalogueSource) -> None:
    yen = fetch(source, 5, OWN.asin, AT)["csv"][CHANNEL_BY_NAME["NEW"].index]
    cents = fetch(source, 1, OWN.asin, AT)["csv"][CHANNEL_BY_NAME["NEW"].index]

    assert median(yen[1::2]) / median(cents[1::2]) == pytest.approx(1.5, rel=0.5)


def test_shipping_is_free_charged_or_unsaid(days: list[list[dict[str, Any]]]) -> None:
    shippings = set()
    for product in days[0]:
        for channel in CHANNELS:
            if channel.stride == 3:
                shippings |= set((product["csv"][channel.index] or [])[2::3])
    assert {0, NO_VALUE} < shippings
    assert max(shippings) > 300


def test_sizes_are_heavy_tailed(days: list[list[dict[str, Any]]]) -> None:
    sizes = sorted(sum(len(i) // stride for _, stride, i in series_of(p)) for p in days[0])

    assert 3_000 < median(sizes) < 10_000
    assert sizes[-1] > 3 * median(sizes)


def test_the_reference_category_repeats_part_of_the_main_rank_series(
    days: list[list[dict[str, Any]]],
) -> None:
    for product in days[0]:
        main = product["csv"][CHANNEL_BY_NAME["SALES"].index]
        points = set(zip(main[::2], main[1::2], strict=True))
        ranks = product["salesRanks"].get(str(product["salesRankReference"]), [])
        assert set(zip(ranks[::2], ranks[1::2], strict=True)) <= points
        assert 1 <= len(product["salesRanks"]) <= 5


def test_buy_box_holders_are_sellers_or_nobody(days: list[list[dict[str, Any]]]) -> None:
    holders = [h for product in days[0] for h in product["buyBoxSellerIdHistory"][1::2]]

    assert all(isinstance(holder, str) for holder in holders)
    assert 0.1 < holders.count("-1") / len(holders) < 0.25
    assert 0.05 < holders.count("-2") / len(holders) < 0.2
    for product in days[0]:
        used = product["buyBoxUsedHistory"]
        assert len(used) % 4 == 0
        assert set(used[3::4]) <= {"0", "1", ""}


def test_live_offers_are_those_seen_at_the_last_update(days: list[list[dict[str, Any]]]) -> None:
    for product in days[0]:
        live = set(product["liveOffersOrder"])
        for place, offer in enumerate(product["offers"]):
            assert (offer["lastSeen"] == product["lastUpdate"]) == (place in live)
            assert len(offer["offerCSV"]) % 3 == 0
            assert offer["offerCSV"][-3] <= offer["lastSeen"]
        assert [offer["offerId"] for offer in product["offers"]] == list(
            range(1, len(product["offers"]) + 1)
        )


def test_a_lost_badge_leaves_no_monthly_sold(days: list[list[dict[str, Any]]]) -> None:
    with_history = [p for p in days[0] if "monthlySoldHistory" in p]

    assert with_history
    for product in with_history:
        last = product["monthlySoldHistory"][-1]
        assert product.get("monthlySold", NO_VALUE) == last


def test_ratings_are_tenths_of_stars_and_reviews_grow(days: list[list[dict[str, Any]]]) -> None:
    rating = CHANNEL_BY_NAME["RATING"]
    assert rating.kind is ChannelKind.RATING
    for product in days[0]:
        assert all(10 <= value <= 50 for value in (product["csv"][rating.index] or [])[1::2])
        reviews = product["csv"][CHANNEL_BY_NAME["COUNT_REVIEWS"].index]
        if reviews and len(reviews) > 40:
            assert reviews[-1] > reviews[1]


def test_our_products_carry_our_brand_and_their_line(source: CatalogueSource) -> None:
    ours, theirs = (fetch(source, 1, asin, AT) for asin in (OWN.asin, source.tracked()[1][-1]))

    assert "Carbon Tour" in ours["title"]
    assert ours["brand"] != theirs["brand"]
    assert [set(entry) for entry in ours["categoryTree"]] == [{"catId", "name"}] * len(
        ours["categoryTree"]
    )
    assert ours["categories"] == [ours["categoryTree"][-1]["catId"]]
    assert ours["categories"][0] > 2**32
