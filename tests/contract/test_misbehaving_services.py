"""Every client against every way in which its service can fail: one table, one promise a line.

A passing fault is repeated where a repetition is safe, and then said as transient; a refusal is
said as permanent and asked once. No secret is in what is said. What a job or a refresh comes to,
and the interruption by us, is in `test_airbyte_client.py`, `test_ingest.py` and
`test_powerbi_refresh.py`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources import airbyte_client, http, powerbi, s3, slack
from veracitypro_pipeline.resources.airbyte_client import SyncClient
from veracitypro_pipeline.resources.powerbi import PowerBIClient
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.slack import SlackNotDelivered, SlackResource
from veracitypro_pipeline.settings import Settings

from .fixed_settings import fixed
from .misbehaving import Answer, misbehaving

SECRET: Final = "open sesame"
TIMEOUT: Final = 0.3

Call = Callable[[Settings], Any]


def airbyte(settings: Settings) -> SyncClient:
    return SyncClient.from_settings(settings)


def s3_list(settings: Settings) -> list[str]:
    found = S3Resource(settings=fixed(settings)).list_objects("bucket", "prefix/")
    return [entry.key for entry in found]


def s3_download(settings: Settings) -> str:
    target = Path(settings.home) / "object"
    S3Resource(settings=fixed(settings)).download("bucket", "key", target)
    return target.read_text()


def s3_write(settings: Settings) -> None:
    S3Resource(settings=fixed(settings)).write_text("bucket", "key", "text")


def slack_bot(settings: Settings) -> None:
    SlackResource(settings=fixed(settings)).post("text", [])


def slack_webhook(settings: Settings) -> None:
    slack_bot(settings.model_copy(update={"slack_bot_token": None}))


CALLS: Final[dict[str, Call]] = {
    "airbyte read": lambda settings: airbyte(settings).find_job(7),
    "airbyte start": lambda settings: airbyte(settings).start(),
    "airbyte cancel": lambda settings: airbyte(settings).cancel_job(7),
    "powerbi read": lambda settings: PowerBIClient(settings).history(),
    "powerbi start": lambda settings: PowerBIClient(settings).start_refresh(),
    "s3 list": s3_list,
    "s3 download": s3_download,
    "s3 write": s3_write,
    "slack bot": slack_bot,
    "slack webhook": slack_webhook,
}

JOB: Final = Answer(body='{"jobId": 7, "status": "running"}')
HISTORY: Final = Answer(body='{"value": [{"requestId": "r", "status": "Completed"}]}')
STARTED: Final = Answer(202, "", {"RequestId": "r"})
LISTING: Final = Answer(
    body="<ListBucketResult><Contents><Key>prefix/a</Key><ETag>e</ETag><Size>1</Size></Contents>"
    "</ListBucketResult>"
)
OBJECT: Final = Answer(body="payload", headers={"ETag": '"e"'})
GOOD: Final = {
    "airbyte read": JOB,
    "airbyte start": JOB,
    "airbyte cancel": JOB,
    "powerbi read": HISTORY,
    "powerbi start": STARTED,
    "s3 list": LISTING,
    "s3 download": OBJECT,
    "s3 write": Answer(body="", headers={"ETag": '"e"'}),
    "slack bot": Answer(body='{"ok": true}'),
    "slack webhook": Answer(body="ok"),
}


def s3_error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>")


FINE: Final = object()
T, P, S = TransientFailure, PermanentFailure, SlackNotDelivered
HTML: Final = Answer(body="<html>")
SILENT: Final = Answer(silent=True)
# boto3 counts repeats only.
S3_REQUESTS: Final = s3.MAX_ATTEMPTS + 1
SLOW_DOWN: Final = s3_error(503, "SlowDown")


def cut(call: str) -> Answer:
    return Answer(GOOD[call].status, GOOD[call].body, GOOD[call].headers, cut=True)


def refused(status: int) -> Answer:
    return Answer(status, '{"message": "because"}')


# call, what is wrong, the answers, what comes of it (or FINE), what is said, requests made.
Line = tuple[str, str, list[Answer], Any, str, int]
REFUSALS: Final[list[Line]] = [
    ("airbyte read", "403", [refused(403)], P, "Airbyte answered 403.*because", 1),
    ("airbyte start", "422", [refused(422)], P, "Airbyte answered 422.*because", 1),
    ("airbyte start", "running already", [refused(409)], P, "Airbyte answered 409", 1),
    ("airbyte cancel", "404", [refused(404)], P, "Airbyte answered 404", 1),
    ("powerbi read", "403", [refused(403)], P, "Power BI answered 403.*because", 1),
    ("powerbi start", "400", [refused(400)], P, "Power BI answered 400.*because", 1),
    (
        "powerbi start",
        "running already",
        [Answer(400, '{"error": "Another refresh request is already executing"}')],
        T,
        "still running another refresh",
        1,
    ),
    ("powerbi start", "no request id", [Answer(202, "")], P, "named no request id", 1),
    ("s3 list", "403", [s3_error(403, "AccessDenied")], P, "refused to list.*AccessDenied", 1),
    ("s3 list", "no bucket", [s3_error(404, "NoSuchBucket")], P, "NoSuchBucket", 1),
    ("s3 download", "no key", [s3_error(404, "NoSuchKey")], P, "read s3://bucket/key: NoSuch", 1),
    ("s3 write", "403", [s3_error(403, "AccessDenied")], P, "refused to write.*AccessDenied", 1),
    ("slack bot", "refused", [Answer(body='{"ok":false,"error":"no_text"}')], S, "no_text", 1),
    ("slack webhook", "403", [Answer(403, "invalid_token")], S, "webhook answered 403", 1),
]
SIGN_INS: Final[list[Line]] = [
    ("airbyte read", "token ended", [refused(401), JOB], FINE, "", 2),
    ("airbyte start", "token ended", [refused(401), JOB], FINE, "", 2),
    ("airbyte read", "401 for good", [refused(401)], P, "Airbyte answered 401", 2),
    ("powerbi read", "token ended", [refused(401), HISTORY], FINE, "", 2),
    ("powerbi start", "token ended", [refused(401), STARTED], FINE, "", 2),
    ("powerbi read", "401 for good", [refused(401)], P, "Power BI answered 401", 2),
    ("s3 list", "token ended", [s3_error(400, "ExpiredToken")], P, "ExpiredToken", 1),
    ("slack bot", "token gone", [Answer(body='{"ok":false,"error":"token_revoked"}')], S, "tok", 1),
]
PASSING: Final[list[Line]] = [
    ("airbyte read", "500 once", [refused(500), JOB], FINE, "", 2),
    ("airbyte read", "503 for good", [refused(503)], T, "Airbyte answered 503", 4),
    ("airbyte start", "503", [refused(503)], T, "Airbyte answered 503 to POST", 1),
    ("airbyte cancel", "502 once", [refused(502), JOB], FINE, "", 2),
    ("powerbi read", "500 once", [refused(500), HISTORY], FINE, "", 2),
    ("powerbi read", "503 for good", [refused(503)], T, "Power BI answered 503", 4),
    ("powerbi start", "503", [refused(503)], T, "Power BI answered 503 to POST", 1),
    ("s3 list", "slow down once", [SLOW_DOWN, LISTING], FINE, "", 2),
    ("s3 list", "slow down for good", [SLOW_DOWN], T, "could not list.*SlowDown", S3_REQUESTS),
    ("s3 download", "500 once", [s3_error(500, "InternalError"), OBJECT], FINE, "", 2),
    ("s3 write", "503 once", [SLOW_DOWN, GOOD["s3 write"]], FINE, "", 2),
    ("slack bot", "503", [Answer(503, "away")], S, "Slack refused it", 1),
    ("slack webhook", "500", [Answer(500, "rollup_error")], S, "webhook answered 500", 1),
]
SILENCES: Final[list[Line]] = [
    ("airbyte read", "silent once", [SILENT, JOB], FINE, "", 2),
    ("airbyte start", "silent", [SILENT], T, "Airbyte did not answer", 1),
    ("powerbi read", "silent once", [SILENT, HISTORY], FINE, "", 2),
    ("powerbi start", "silent", [SILENT], T, "Power BI did not answer", 1),
    ("s3 list", "silent once", [SILENT, LISTING], FINE, "", 2),
    ("s3 download", "silent for good", [SILENT], T, "did not answer.*read", S3_REQUESTS),
    ("slack bot", "silent", [SILENT], S, "Slack did not answer", 1),
    ("slack webhook", "silent", [SILENT], S, "Slack did not answer", 1),
]
GARBAGE: Final[list[Line]] = [
    ("airbyte read", "HTML", [HTML], T, "Airbyte did not answer", 1),
    ("airbyte read", "a list", [Answer(body="[]")], T, "JSON that is no object", 1),
    ("airbyte start", "HTML", [HTML], T, "Airbyte did not answer", 1),
    ("powerbi read", "HTML", [HTML], T, "Power BI did not answer", 1),
    ("powerbi read", "a list", [Answer(body="[]")], T, "JSON that is no object", 1),
    ("powerbi read", "no list", [Answer(body='{"value": 1}')], T, "history is no list", 1),
    ("s3 list", "HTML", [Answer(body="<html")], T, "could not list", S3_REQUESTS),
    ("slack bot", "HTML", [HTML], S, "Slack refused it", 1),
]
CUTS: Final[list[Line]] = [
    ("airbyte read", "cut", [cut("airbyte read")], T, "Airbyte did not answer", 1),
    ("airbyte start", "cut", [cut("airbyte start")], T, "Airbyte did not answer", 1),
    ("powerbi read", "cut", [cut("powerbi read")], T, "Power BI did not answer", 1),
    ("powerbi start", "cut", [cut("powerbi start")], T, "Power BI did not answer", 1),
    ("s3 list", "cut once", [cut("s3 list"), LISTING], FINE, "", 2),
    ("s3 download", "cut", [cut("s3 download")], T, "did not answer.*read", 1),
    ("slack bot", "cut", [cut("slack bot")], S, "Slack did not answer", 1),
    ("slack webhook", "cut", [cut("slack webhook")], S, "Slack did not answer", 1),
]
LINES: Final = [*REFUSALS, *SIGN_INS, *PASSING, *SILENCES, *GARBAGE, *CUTS]
# Where to go after a 429, in seconds, and the calls that wait so long and then ask again.
WAIT: Final = 7
WAITING: Final = ("airbyte read", "powerbi read", "slack bot", "slack webhook")
NOT_WAITING: Final = {"airbyte start": "Airbyte", "powerbi start": "Power BI"}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Seconds that clients would sleep between two tries, without the sleep; short time-outs."""
    import botocore.config

    slept: list[float] = []

    class Clock:
        """A library's `time`, which does not wait."""

        def sleep(self, seconds: float) -> None:
            slept.append(seconds)

        def __getattr__(self, name: str) -> Any:
            import time

            return getattr(time, name)

    for module in (
        "urllib3.util.retry.time",
        "botocore.endpoint.time",
        "slack_sdk.http_retry.builtin_handlers.time",
    ):
        monkeypatch.setattr(module, Clock())
    for module_with_timeout in (airbyte_client, http, powerbi, slack):
        if hasattr(module_with_timeout, "TIMEOUT_SECONDS"):
            monkeypatch.setattr(module_with_timeout, "TIMEOUT_SECONDS", TIMEOUT)
    monkeypatch.setitem(botocore.config.Config.OPTION_DEFAULTS, "read_timeout", TIMEOUT)
    # Airbyte's client takes whole seconds.
    from_settings = SyncClient.from_settings
    monkeypatch.setattr(
        SyncClient,
        "from_settings",
        lambda settings: from_settings(settings).model_copy(update={"request_timeout": TIMEOUT}),
    )
    s3._client.cache_clear()
    yield slept
    s3._client.cache_clear()


def settings_for(url: str, home: Path) -> Settings:
    secret = SecretStr(SECRET)
    return Settings.load(
        home=home,
        airbyte_api_url=url,
        airbyte_configuration_api_url=url,
        airbyte_workspace_id="w",
        airbyte_connection_id="c",
        airbyte_client_id="i",
        airbyte_client_secret=secret,
        aws_endpoint_url_s3=url,
        aws_access_key_id="AKIATEST",
        aws_secret_access_key=secret,
        powerbi_api_url=url,
        powerbi_authority_url=url,
        powerbi_tenant_id="t",
        powerbi_client_id="i",
        powerbi_client_secret=secret,
        powerbi_workspace_id="w",
        powerbi_dataset_id="d",
        slack_api_url=f"{url}/",
        slack_bot_token=secret,
        slack_webhook_url=SecretStr(f"{url}/services/{SECRET.replace(' ', '-')}"),
    )


@pytest.mark.parametrize("call", CALLS)
def test_a_service_that_is_well_is_asked_once(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    with misbehaving(GOOD[call]) as server:
        CALLS[call](settings_for(server.url, tmp_path))
    assert len(server.asked) == 1
    assert waits == []


@pytest.mark.parametrize("line", LINES, ids=[f"{line[0]}: {line[1]}" for line in LINES])
def test_what_goes_wrong_is_repeated_where_that_is_safe_and_then_said(
    line: Line, waits: list[float], tmp_path: Path
) -> None:
    call, _, script, outcome, said, requests_made = line
    with misbehaving(*script) as server:
        settings = settings_for(server.url, tmp_path)
        if outcome is FINE:
            CALLS[call](settings)
        else:
            with pytest.raises(outcome, match=said) as failure:
                CALLS[call](settings)
            sentence = str(getattr(failure.value, "description", None) or failure.value)
            assert SECRET not in sentence
            assert "services" not in sentence
    assert len(server.asked) == requests_made, server.asked


@pytest.mark.parametrize("call", WAITING)
def test_a_limit_is_waited_out_as_long_as_the_service_says(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    limit = Answer(429, '{"ok": false, "error": "ratelimited"}', {"Retry-After": str(WAIT)})
    with misbehaving(limit, GOOD[call]) as server:
        CALLS[call](settings_for(server.url, tmp_path))
    assert len(server.asked) == 2
    (waited,) = waits
    assert WAIT <= waited < WAIT + 1


@pytest.mark.parametrize("call", NOT_WAITING)
def test_a_start_is_not_repeated_after_a_limit_because_the_step_decides(
    call: str, waits: list[float], tmp_path: Path
) -> None:
    limit = Answer(429, "{}", {"Retry-After": str(WAIT)})
    said = f"{NOT_WAITING[call]} answered 429"
    with misbehaving(limit) as server, pytest.raises(TransientFailure, match=said):
        CALLS[call](settings_for(server.url, tmp_path))
    assert (len(server.asked), waits) == (1, [])


def test_every_kind_of_fault_is_tried_on_every_service() -> None:
    """A new call or a new service has to have its lines."""
    services = {call.split()[0] for call in CALLS}
    for lines in (REFUSALS, SIGN_INS, PASSING, SILENCES, GARBAGE, CUTS):
        assert {line[0].split()[0] for line in lines} == services
    assert {line[0] for line in LINES} == set(CALLS)
