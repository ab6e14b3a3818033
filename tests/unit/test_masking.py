"""Secrets in text of services are masked, by their value or by their form."""

import base64
import traceback
from collections.abc import Iterator

import dagster as dg
import pytest
import requests
from pydantic import SecretStr

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.masking import learn, mask_error, masked
from veracitypro_pipeline.resources.dbt.resource import failure_of
from veracitypro_pipeline.resources.http import SHOWN_BODY_CHARACTERS, raise_for_status
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.runs.events import run_record
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.step_guard import final_when_interrupted

SECRET = "hunter2/öffne dich"
SIGNED = "GET /product?key=hunter2&X-Amz-Signature=hunter2"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET https://api.keepa.com/product?key=S3CRET&domain=1: 403", "product?key=****&domain=1"),
        ("url: /product?domain=1&key=S3CRET", "domain=1&key=****"),
        ("next=%2Fproduct%3Fkey%3DS3CRET&x=1", "key%3D****&x=1"),
        ("grant_type=x&client_secret=S3CRET&scope=y", "client_secret=****&scope=y"),
        (
            '{"client_secret": "S3CRET", "scope": "y"}',
            '{"client_secret": "****", "scope": "y"}',
        ),
        ("{'password': 'S3CRET'}", "'password': '****"),
        (r'"body": "{\"access_token\":\"S3CRET\"}"', r"\"access_token\":\"****"),
        (r'{"password": "a\"S3CRET"}', '"password": "****'),
        ('{"refresh_token": "S3CRET', '"refresh_token": "****'),
        ("SNOWFLAKE_PASSWORD=S3CRET was refused", "SNOWFLAKE_PASSWORD=**** was refused"),
        ("Authorization: Bearer S3CRET-1234", "Authorization: Bearer ****"),
        ("{'Authorization': 'Basic S3CRET=='}", "'Authorization': 'Basic ****'"),
        ("sent Bearer S3CRET.S3CRET", "Bearer ****"),
        ("cannot reach https://user:S3CRET@x.example/a", "https://****@x.example/a"),
        ("'ht tp://user:S3CRET@x'", "'ht tp://****@x'"),
        ("user:S3CRET@x.example", "****@x.example"),
        ("https://S3CRET@x.example", "https://****@x.example"),
        ("https://user:S3/S3CRET:S3CRET@x", "https://****@x"),
        ("/k?X-Amz-Signature=S3CRET&X-Amz-Credential=S3CRET/2", "X-Amz-Signature=****&"),
        ("POST https://hooks.slack.com/services/T1/B1/S3CRET", "/services/****"),
        ("invalid token xoxb-1234-S3CRET", "invalid token ****"),
        ("the assertion eyJS3CRET.eyJS3CRET.S3CRET", "the assertion ****"),
    ],
)
def test_a_secret_is_masked_by_its_form(text: str, left: str) -> None:
    assert left in masked(text)
    assert "S3CRET" not in masked(text)
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "Airbyte answered 403 to GET http://127.0.0.1:8000/v1/jobs: because",
        "primary_key: asin, domain_id; unique_key = asin",
        "Authorization: denied for the service principal",
        "The access token has expired; the password is wrong.",
        "AADSTS7000215: Invalid client secret provided.",
        "s3://vp-raw-prod-us-east-2/env=prod/source=keepa/2025_11_21_1_0.jsonl.gz",
        "tokens=5, refillIn=100; 2025-11-21T00:10:00Z, 10:20",
        "somebody@example.com",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert masked(text) == text


def test_a_secret_setting_is_masked_by_its_value_in_every_encoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", SECRET)
    monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PASSPHRASE", "or")
    Settings.load()
    text = masked(f"{SECRET} or hunter2%2F%C3%B6ffne%20dich or hunter2%2F%C3%B6ffne+dich")
    assert text == "**** or **** or ****"


def test_a_secret_of_the_local_stack_is_masked_too() -> None:
    class Stack(RunSettings):
        def _load(self) -> Settings:
            return Settings.load(slack_bot_token=SecretStr(SECRET))

    Stack().get()
    assert masked(f"sent {SECRET}.") == "sent ****."


@pytest.mark.parametrize(
    "unit", ["a", "key=", '"token": "', "//", ":", "user:", "a:b/", "bearer ", "eyJ", "\\"]
)
def test_a_long_text_of_anything_is_masked(unit: str) -> None:
    """A pattern that goes back over what it has read would not come to an end."""
    assert masked(unit * (100_000 // len(unit)))


def answer(status: int, body: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = status, body.encode()
    response.url = "https://user:hunter2@api.example/v1?key=hunter2"
    response.request = requests.Request("POST", response.url).prepare()
    return response


def test_a_body_is_masked_before_it_is_cut() -> None:
    body = "x" * (SHOWN_BODY_CHARACTERS - 20) + ' "client_secret": "hunter2" '
    with pytest.raises(PermanentFailure) as refusal:
        raise_for_status("Power BI", answer(400, body))
    assert "hunt" not in str(refusal.value.description)
    assert "api.example/v1: xxx" in str(refusal.value.description)


@pytest.mark.parametrize("status", [401, 503])
def test_the_answer_of_a_sign_in_is_not_shown(status: int) -> None:
    """It may quote the secret in an unknown form."""
    echo = base64.b64encode(b"hunter2").decode()
    with pytest.raises((PermanentFailure, TransientFailure)) as refusal:
        raise_for_status(
            "Microsoft sign-in", answer(status, f"invalid_client {echo}"), is_sign_in=True
        )
    text = str(refusal.value.description)
    assert f"Microsoft sign-in answered {status}" in text
    assert echo not in text


def test_messages_of_dbt_are_masked() -> None:
    assert "hunter2" not in str(failure_of("Database Error: password=hunter2").description)


def test_an_error_without_a_secret_is_raised_unchanged() -> None:
    first, second = KeyError("asin"), ValueError("no JSON")
    second.__cause__ = first
    assert mask_error(second) is second
    assert second.__cause__ is first


@pytest.mark.parametrize("is_explicit", [True, False])
def test_the_causes_of_an_error_are_masked_and_keep_their_traceback(is_explicit: bool) -> None:
    try:
        try:
            raise ConnectionError(SIGNED)
        except ConnectionError as error:
            if is_explicit:
                raise PermanentFailure("It failed.") from error
            raise PermanentFailure("It failed.")  # noqa: B904 - the other case
    except PermanentFailure as error:
        shown = "".join(traceback.format_exception(mask_error(error)))
    assert "hunter2" not in shown
    assert "ConnectionError: GET /product?key=****" in shown
    assert "It failed." in shown
    assert shown.count("raise ConnectionError(SIGNED)") == 1


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.mark.parametrize("is_explained", [True, False])
def test_no_event_of_a_run_holds_a_secret(instance: dg.DagsterInstance, is_explained: bool) -> None:
    """Neither in Dagster's tables nor in Slack or MONITORING."""
    learn([SECRET])

    @dg.asset(key=["raw", "keepa_raw"], retry_policy=dg.RetryPolicy(max_retries=1))
    @final_when_interrupted
    def keepa_raw() -> None:
        try:
            raise OSError(f"signed in with {SECRET}, {SIGNED}")
        except OSError as error:
            if is_explained:
                raise TransientFailure(f"S3 did not answer: {error}") from error
            raise

    outcome = dg.materialize([keepa_raw], instance=instance, raise_on_error=False)
    assert not outcome.success
    events = "".join(str(entry) for entry in instance.all_logs(outcome.run_id))
    assert "X-Amz-Signature=****" in events
    assert "hunter2" not in events
    (failure,) = run_record(instance, outcome.run_id).summary.failures
    assert "signed in with ****" in failure.reason


def test_text_from_outside_in_events_is_masked_when_read(
    instance: dg.DagsterInstance,
) -> None:
    """Dagster itself, or an older version of the code location, may have written it."""

    @dg.asset(key=["raw", "keepa_raw"])
    def keepa_raw() -> None:
        raise OSError("password=hunter2")

    outcome = dg.materialize([keepa_raw], instance=instance, raise_on_error=False)
    (failure,) = run_record(instance, outcome.run_id).summary.failures
    assert "password=****" in failure.reason
