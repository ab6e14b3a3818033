"""The connector manifest, run by airbyte-cdk against the stand-in of Keepa's API."""

import gzip
import json
import time
import zlib
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from airbyte_cdk.models import FailureType, Status, SyncMode  # type: ignore[attr-defined]
from airbyte_cdk.test.models import ExpectedOutcome
from backports import zstd
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.support.keepa_connector import (
    KEY,
    MANIFEST,
    PAUSES,
    Connector,
    Keepa,
    empty_catalogue,
)
from veracitypro_pipeline.local.sources.keepa.catalogue import CatalogueSource, TrackedProduct
from veracitypro_pipeline.local.sources.keepa.products import DirectorySource
from veracitypro_pipeline.local.sources.keepa.token_bucket import REFILL_SECONDS, TokenBucket
from veracitypro_pipeline.settings import Settings

SEVERAL: Final = {
    1: [f"B0{number:08d}" for number in range(130)],
    3: ["0061958549"] + [f"{number:010d}" for number in range(1_500_000_000, 1_500_000_119)],
}


Serve = Callable[[Any], str]


# --- requests ------------------------------------------------------------------------------------


def test_each_marketplace_is_requested_in_batches_of_100(serve: Serve) -> None:
    """250 ASINs on two marketplaces; those of books are digits only and stay text."""
    keepa = Keepa(empty_catalogue())
    reading = Connector(serve(keepa), SEVERAL).read()

    asked = [(query["domain"], query["asin"].split(",")) for query in keepa.queries]
    assert [(domain, len(asins)) for domain, asins in asked] == [
        ("1", 100),
        ("1", 30),
        ("3", 100),
        ("3", 20),
    ]
    assert [*chain.from_iterable(asins for _, asins in asked)] == SEVERAL[1] + SEVERAL[3]
    assert len(reading.records) == 250


def test_with_offers_the_batches_are_of_20(serve: Serve) -> None:
    keepa = Keepa(empty_catalogue())
    Connector(serve(keepa), {1: SEVERAL[1][:45]}, offers=20).read()

    assert [len(query["asin"].split(",")) for query in keepa.queries] == [20, 20, 5]


def test_unset_options_are_left_out_so_a_product_costs_one_token(serve: Serve) -> None:
    keepa = Keepa(empty_catalogue())
    Connector(serve(keepa), {1: ["B0PADDLE01"]}).read()

    assert keepa.queries == [{"key": KEY, "domain": "1", "asin": "B0PADDLE01"}]


def test_each_option_is_sent_to_keepa(serve: Serve) -> None:
    """Every option of the specification, with a value other than its default."""
    options: dict[str, Any] = {
        "days": 90,
        "stats": 180,
        "update": 0,
        "rating": True,
        "buybox": True,
        "offers": 40,
        "only_live_offers": True,
        "stock": True,
        "rental": True,
        "videos": True,
        "aplus": True,
        "historical_variations": True,
    }
    specified = MANIFEST["spec"]["connection_specification"]["properties"]
    assert set(options) == set(specified) - {"api_key", "base_url", "marketplaces"}

    keepa = Keepa(empty_catalogue())
    Connector(serve(keepa), {1: ["1589803426"]}, **options).read()

    assert keepa.queries == [
        {"key": KEY, "domain": "1", "asin": "1589803426"}
        | {
            name.replace("_", "-"): "1" if value is True else str(value)
            for name, value in options.items()
        }
    ]


def test_the_check_reads_the_balance_and_no_product(serve: Serve) -> None:
    keepa = Keepa(empty_catalogue())
    result = Connector(serve(keepa), SEVERAL).check()

    assert result.status is Status.SUCCEEDED
    assert set(keepa.paths) == {"/token"}


def test_product_raw_is_a_full_refresh_stream_keyed_by_marketplace_and_asin() -> None:
    streams = Connector("http://127.0.0.1:1", {1: ["B0PADDLE01"]}).streams()

    assert set(streams) == {"product_raw", "tokens"}
    stream = streams["product_raw"]
    assert stream.source_defined_primary_key == [["domainId"], ["asin"]]
    assert stream.supported_sync_modes == [SyncMode.full_refresh]


# --- records -------------------------------------------------------------------------------------


def test_every_field_of_a_product_arrives_as_it_was_sent(serve: Serve, tmp_path: Path) -> None:
    sent = {
        "asin": "0061958549",
        "domainId": 5,
        "csv": [[7_900_000, 4900], None, [7_900_000, -1, 7_900_002, 4800]],
        "ebayListingIds": [130_382_777_620, None],
        "salesRanks": {"7538396011": [7_900_000, 1]},
        "referralFeePercentage": 15.01,
        "unitCount": {"unitValue": 1.0, "unitType": "Fl Oz"},
        "stats": {"buyBoxStats": {"A1": {"percentageWon": 0.24238965}}, "min": [[1, 2], None]},
        "title": "猫トイレ <b>“grün”</b>\n",
        "features": [],
        "brand": "",
        "offers": [{"conditionComment": None}],
        "notYetDocumented": {"deep": [[None, True, 1e-3]]},
    }
    (tmp_path / "one.json").write_text(json.dumps(sent))
    reading = Connector(serve(Keepa(DirectorySource(tmp_path, 0))), {5: ["0061958549"]}).read()

    (record,) = reading.records
    assert record == sent
    assert json.dumps(record, sort_keys=True) == json.dumps(sent, sort_keys=True)


def test_a_field_that_is_null_is_left_out_by_the_connector(serve: Serve, tmp_path: Path) -> None:
    """airbyte-cdk drops top-level nulls of a record; absent and null mean the same there."""
    sent = {"asin": "B0PADDLE01", "domainId": 1, "csv": None, "stats": {"buyBoxSellerId": None}}
    (tmp_path / "one.json").write_text(json.dumps(sent))
    reading = Connector(serve(Keepa(DirectorySource(tmp_path, 0))), {1: ["B0PADDLE01"]}).read()

    (record,) = reading.records
    assert record == {name: sent[name] for name in ("asin", "domainId", "stats")}


def test_the_generated_catalogue_arrives_whole_and_as_declared(serve: Serve) -> None:
    rows = [TrackedProduct(1, f"B0PADDLE0{number}", "own", "tour") for number in range(5)]
    source = CatalogueSource(rows)
    keepa = Keepa(source)
    options = {"offers": 20, "rating": True, "stats": 90, "videos": True, "aplus": True}
    reading = Connector(serve(keepa), source.tracked(), **options).read()

    assert [record["asin"] for record in reading.records] == source.tracked()[1]
    for record in reading.records:
        assert_declared(record)


def test_every_field_of_the_real_payloads_is_declared_with_its_type() -> None:
    """The destination drops undeclared fields."""
    files = sorted(Settings().keepa_samples.rglob("*.json"))
    if not files:
        pytest.skip("VP_KEEPA_SAMPLES names no folder with real payloads")
    for file in files:
        payload = json.loads(file.read_text())
        for product in payload.get("products", [payload]):
            assert_declared(product)


def assert_declared(product: dict[str, Any]) -> None:
    schema = MANIFEST["schemas"]["product_raw"]
    assert set(product) <= set(schema["properties"])
    if product.get("stats"):
        assert set(product["stats"]) <= set(schema["properties"]["stats"]["properties"])
    offer_fields = schema["properties"]["offers"]["items"]["properties"]
    for offer in product.get("offers") or []:
        assert set(offer) <= set(offer_fields)
    assert not [error.message for error in Draft7Validator(schema).iter_errors(product)]


# --- tokens, refusals, faults --------------------------------------------------------------------


def test_an_empty_balance_is_waited_for_exactly_until_the_debt_is_refilled(serve: Serve) -> None:
    """The first batch overdraws by 50; 20 a minute means three refills before the second one."""
    clock = Refills(seconds_to_first=0.2)
    bucket = TokenBucket(20, tokens=50, clock=clock)
    keepa = Keepa(empty_catalogue(), bucket)
    connector = Connector(serve(keepa), {1: SEVERAL[1][:101]})
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.pass_by(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PAUSES, SimpleNamespace(sleep=sleep))
        reading = connector.read()

    assert len(reading.records) == 101
    assert [len(query["asin"].split(",")) for query in keepa.queries] == [100, 1, 1]
    # The CDK adds one second to each wait.
    assert waited == [pytest.approx(0.2 + 2 * REFILL_SECONDS + 1, abs=0.01)]
    assert bucket.tokens_left == 9


class Refills:
    """The clock of a token bucket: it advances only when the connector waits."""

    def __init__(self, seconds_to_first: float) -> None:
        self._seconds = 0.0
        self._next = REFILL_SECONDS - seconds_to_first

    def __call__(self) -> float:
        # The bucket reads it once when it is made; the next minute is then nearly over.
        seconds, self._seconds = self._seconds, max(self._seconds, self._next)
        return seconds

    def pass_by(self, seconds: float) -> None:
        self._seconds += seconds


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("f" * 64, "(HTTP 402): The API key is invalid or has no paid subscription."),
        ("an0therk3y", "(HTTP 400): The API key is malformed or missing."),
    ],
)
def test_a_rejected_key_fails_the_sync_at_once_with_keepas_message(
    serve: Serve, key: str, answer: str
) -> None:
    keepa = Keepa(empty_catalogue())
    started = time.monotonic()
    connector = Connector(serve(keepa), {1: ["B0PADDLE01"]}, api_key=key)
    reading = connector.read(ExpectedOutcome.EXPECT_EXCEPTION)

    first, *_ = reading.errors
    assert first.failure_type is FailureType.config_error
    assert first.message.strip() == (
        f"Keepa refuses the API key {answer} Check the key and its subscription."
    )
    assert len(keepa.queries) == 1
    assert time.monotonic() - started < 5


def test_a_rejected_key_fails_the_check(serve: Serve) -> None:
    connector = Connector(serve(Keepa(empty_catalogue())), SEVERAL, api_key="f" * 64)
    result = connector.check()

    assert result.status is Status.FAILED
    assert "Keepa refuses the API key (HTTP 402)" in str(result.message)


@pytest.mark.parametrize("options", [{"days": -1}, {"offers": 101}])
def test_a_rejected_request_is_not_retried(serve: Serve, options: dict[str, int]) -> None:
    keepa = Keepa(empty_catalogue())
    with pytest.MonkeyPatch.context() as patch:
        # Without its specification, which would reject these values before any request.
        patch.setitem(MANIFEST["spec"]["connection_specification"], "properties", {})
        connector = Connector(serve(keepa), {1: ["B0PADDLE01"]}, **options)
        reading = connector.read(ExpectedOutcome.EXPECT_EXCEPTION)

    (name,) = options
    assert reading.errors[0].failure_type is FailureType.config_error
    assert (
        f"Keepa rejects the request: {name} is {options[name]}, expected"
        in reading.errors[0].message
    )
    assert len(keepa.queries) == 1


@pytest.mark.parametrize("fault", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.BAD_GATEWAY])
def test_a_server_error_is_retried_with_backoff(serve: Serve, fault: int) -> None:
    keepa = Keepa(empty_catalogue())
    keepa.faults = [fault] * 2
    pauses: list[float] = []
    connector = Connector(serve(keepa), {1: ["B0PADDLE01"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PAUSES, SimpleNamespace(sleep=pauses.append))
        reading = connector.read()

    assert len(reading.records) == 1
    assert pauses == [3.0, 5.0]


def test_a_lasting_server_error_is_given_up(serve: Serve) -> None:
    keepa = Keepa(empty_catalogue())
    keepa.faults = [500] * 99
    pauses: list[float] = []
    connector = Connector(serve(keepa), {1: ["B0PADDLE01"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PAUSES, SimpleNamespace(sleep=pauses.append))
        reading = connector.read(ExpectedOutcome.EXPECT_EXCEPTION)

    assert len(keepa.queries) == 6
    assert sum(pauses) < 120
    assert reading.errors[0].failure_type is FailureType.transient_error


@pytest.mark.parametrize(
    "answer",
    ["{}", '{"products": null}', '{"products": [{"asin": "B', "<html>", "", "[]"],
)
def test_an_answer_without_products_fails_the_sync(serve: Serve, answer: str) -> None:
    """Although the other batch arrives."""
    asins = SEVERAL[1][:101]
    keepa = Keepa(empty_catalogue())
    keepa.faults = [Response(answer)]
    reading = Connector(serve(keepa), {1: asins}).read(ExpectedOutcome.EXPECT_EXCEPTION)
    assert [record["asin"] for record in reading.records] == asins[100:]
    assert reading.errors[0].message.startswith(
        "Keepa's answer is unreadable or holds no products: no reason given."
    )


def test_an_empty_list_of_products_is_an_answer(serve: Serve) -> None:
    keepa = Keepa(empty_catalogue())
    keepa.faults = [Response('{"products": []}')]
    assert Connector(serve(keepa), {1: ["B0PADDLE01"]}).read().records == []


ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": zstd.compress,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("forced", [None, *ENCODERS])
def test_an_answer_is_read_in_every_encoding_that_a_server_picks(
    serve: Serve, forced: str | None
) -> None:
    """`None` is a server that picks the best encoding that the connector accepts."""

    async def keepa(scope: Scope, receive: Receive, send: Send) -> None:
        named = Request(scope).headers["accept-encoding"]
        encoding = forced or next((name for name in ENCODERS if name in named), "identity")
        body = ENCODERS[encoding](b'{"products": [{"asin": "B0PADDLE01", "domainId": 1}]}')
        await Response(body, headers={"Content-Encoding": encoding})(scope, receive, send)

    reading = Connector(serve(keepa), {1: ["B0PADDLE01"]}).read()
    assert reading.records == [{"asin": "B0PADDLE01", "domainId": 1}]


@pytest.mark.parametrize("key", [KEY, "an0therk3y"])
def test_the_key_is_in_no_log_line(serve: Serve, key: str) -> None:
    keepa = Keepa(empty_catalogue())
    keepa.faults = [500]
    connector = Connector(serve(keepa), {1: ["B0PADDLE01"]}, api_key=key)
    outcome = ExpectedOutcome.EXPECT_SUCCESS if key == KEY else ExpectedOutcome.EXPECT_EXCEPTION
    reading = connector.read(outcome)

    assert reading.log_lines
    assert key not in "\n".join(reading.log_lines)
    assert all(key not in error.message for error in reading.errors)
