"""Faults of services, the warehouse and the bucket, one row each.

Each fault is injected and gives a `Cell`: the message a person sees, the retries, the loss, and
what heals it. `tests/fault_matrix.md` has all cells, and `test_misbehaving_services.py` compares
it with the results. After an intended change:

    python -m tests.support.faults
"""

import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import botocore.config
import duckdb
import pytest
from airbyte_cdk.test.models import ExpectedOutcome
from pydantic import HttpUrl, SecretStr
from starlette.responses import Response

from tests.support.keepa_connector import PAUSES, Connector, Keepa, empty_catalogue
from tests.support.landing_and_load import Job, Pipeline
from tests.support.misbehaving import Answer, misbehaving
from tests.support.servers import servers
from tests.support.settings import fixed
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources import (
    http,
    powerbi,
    s3,
    slack,
)
from veracitypro_pipeline.resources.airbyte import client as airbyte_client
from veracitypro_pipeline.resources.airbyte.client import SyncClient
from veracitypro_pipeline.resources.dbt.resource import failure_of
from veracitypro_pipeline.resources.powerbi import PowerBIClient
from veracitypro_pipeline.resources.s3 import S3Resource
from veracitypro_pipeline.resources.slack import SlackError, SlackResource
from veracitypro_pipeline.resources.warehouse import on_duckdb, on_snowflake
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.statement import Statement

if TYPE_CHECKING:
    from starlette.applications import Starlette

SECRET: Final = "open sesame"
TIMEOUT: Final = 0.3

Call = Callable[[Settings], Any]


def airbyte(settings: Settings) -> SyncClient:
    return SyncClient.from_settings(settings, "c")


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


def snowflake_query(settings: Settings) -> Any:
    prod = settings.model_copy(update={"environment": "prod"})
    return WarehouseResource(settings=fixed(prod)).query("select 1 as n").rows


def snowflake_build(settings: Settings) -> Any:
    """Run a statement through dbt's adapter; raise the failure that the transform stage derives."""
    import snowflake.connector
    from dbt.adapters.contracts.connection import Connection, Identifier
    from dbt.adapters.snowflake.connections import SnowflakeConnectionManager, SnowflakeCredentials
    from dbt_common.exceptions import DbtRuntimeError
    from snowflake.connector.errors import Error
    from snowflake.connector.vendored.requests.exceptions import RequestException

    assert settings.snowflake_password is not None
    assert settings.snowflake_url is not None
    credentials = SnowflakeCredentials(
        account=str(settings.snowflake_account),
        user=settings.snowflake_user,
        password=settings.snowflake_password.get_secret_value(),
        database=settings.snowflake_database,
        schema="STG",
        protocol=settings.snowflake_url.scheme,
        host=settings.snowflake_url.host,
        port=settings.snowflake_url.port,
        connect_retries=0,
    )
    in_a_second = partial(snowflake.connector.connect, login_timeout=1, network_timeout=1)
    manager: Any = SnowflakeConnectionManager
    connection = Connection(Identifier(manager.TYPE), "model", credentials)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(snowflake.connector, "connect", in_a_second)
            manager.open(connection)
        with connection.handle:
            return connection.handle.cursor().execute("select 1 as n").fetchall()
    except (DbtRuntimeError, Error, RequestException) as error:
        raise failure_of(str(error)) from error


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
    "snowflake query": snowflake_query,
    "snowflake build": snowflake_build,
}
SERVICES: Final = {
    "airbyte": "Airbyte",
    "powerbi": "Power BI",
    "s3": "S3",
    "slack": "Slack",
    "snowflake": "Snowflake",
}
# The stages that make the call.
STAGES: Final = {
    "airbyte": "ingest",
    "powerbi": "bi",
    "s3 list": "landing",
    "s3 download": "landing, raw",
    "s3 write": "every stored value",
    "slack": "notify",
    "snowflake query": "raw to bi",
    "snowflake build": "stg to mart",
}

JOB: Final = Answer(body='{"jobId": 7, "status": "running"}')
HISTORY: Final = Answer(body='{"value": [{"requestId": "r", "status": "Completed"}]}')
STARTED: Final = Answer(202, "", {"RequestId": "r"})
LISTING: Final = Answer(
    body="<ListBucketResult><Contents><Key>prefix/a</Key><ETag>e</ETag><Size>1</Size>"
    "<LastModified>2026-02-01T00:20:00.000Z</LastModified></Contents>"
    "</ListBucketResult>"
)
OBJECT: Final = Answer(body="payload", headers={"ETag": '"e"'})
# A session and the result of its statement in one; the client reads the fields it needs.
ROWS: Final = Answer(
    body=json.dumps(
        {
            "success": True,
            "data": {
                **{"token": "t", "masterToken": "m", "parameters": [], "sessionInfo": {}},
                **{"rowtype": [], "rowset": [], "total": 0, "returned": 0, "queryId": "q"},
                **{"queryResultFormat": "json", "statementTypeId": 4096},
            },
        }
    )
)
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
    "snowflake query": ROWS,
    "snowflake build": ROWS,
}


def s3_error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>")


def with_checksum(answer: Answer) -> Answer:
    return Answer(answer.status, answer.body, {"x-amz-checksum-crc32": "AAAAAA=="})


def snowflake_error(code: str, message: str) -> Answer:
    data = {"errorCode": code, "sqlState": "42000", "queryId": "q"}
    return Answer(
        body=json.dumps({"success": False, "code": code, "message": message, "data": data})
    )


FINE: Final = object()
ASIN: Final = "B0PADDLE01"
T, P, S = TransientFailure, PermanentFailure, SlackError
HTML: Final = Answer(body="<html>")
SILENT: Final = Answer(silent=True)
# boto3 counts only retries.
S3_REQUESTS: Final = s3.MAX_ATTEMPTS + 1
# Seconds to wait after a 429.
WAIT: Final = 7
LIMIT: Final = Answer(429, '{"ok": false, "error": "ratelimited"}', {"Retry-After": str(WAIT)})
SLOW_DOWN: Final = s3_error(503, "SlowDown")


def cut(call: str) -> Answer:
    return Answer(GOOD[call].status, GOOD[call].body, GOOD[call].headers, cut=True)


def refused(status: int) -> Answer:
    return Answer(status, '{"message": "because"}')


# call, fault, responses, outcome (T, P or FINE), text of the message, requests made (None:
# as many as fit into the time-out).
Line = tuple[str, str, list[Answer], Any, str, int | None]
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
    ("powerbi start", "no request id", [Answer(202, "")], P, "returned no request id", 1),
    ("s3 list", "403", [s3_error(403, "AccessDenied")], P, "refused to list.*AccessDenied", 1),
    ("s3 list", "no bucket", [s3_error(404, "NoSuchBucket")], P, "NoSuchBucket", 1),
    ("s3 download", "no key", [s3_error(404, "NoSuchKey")], P, "read s3://bucket/key: NoSuch", 1),
    ("s3 write", "403", [s3_error(403, "AccessDenied")], P, "refused to write.*AccessDenied", 1),
    ("slack bot", "refused", [Answer(body='{"ok":false,"error":"no_text"}')], S, "no_text", 1),
    ("slack webhook", "403", [Answer(403, "invalid_token")], S, "webhook answered 403", 1),
    (
        "snowflake query",
        "no such table",
        [ROWS, snowflake_error("002003", "Object T does not exist or not authorized.")],
        P,
        "Object T does not exist",
        2,
    ),
    (
        "snowflake build",
        "no such table",
        [ROWS, snowflake_error("002003", "Object T does not exist or not authorized.")],
        P,
        "dbt build failed.*Object T does not exist",
        2,
    ),
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
    (
        "snowflake query",
        "key refused",
        [snowflake_error("390144", "JWT token is invalid.")],
        P,
        "the sign-in as.*JWT token is invalid",
        1,
    ),
    *(
        ("snowflake build", fault, [snowflake_error(code, said)], P, f"dbt build failed.*{said}", 1)
        for fault, code, said in (
            ("key refused", "390144", "JWT token is invalid."),
            ("user unknown", "390100", "Incorrect username or password was specified."),
            ("address refused", "390420", "Incoming request with IP 1.2.3.4 is not allowed"),
        )
    ),
    ("snowflake build", "403", [Answer(403)], P, "dbt build failed", 1),
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
    (
        "s3 download",
        "500 in the form of the object",
        [with_checksum(s3_error(500, "InternalError"))],
        T,
        "could not read.*boto3 cannot read",
        1,
    ),
    ("s3 write", "503 once", [SLOW_DOWN, GOOD["s3 write"]], FINE, "", 2),
    ("slack bot", "503", [Answer(503, "away")], S, "Slack refused it", 1),
    ("slack webhook", "500", [Answer(500, "rollup_error")], S, "webhook answered 500", 1),
    ("snowflake query", "503", [Answer(503)], T, "the sign-in as", None),
    (
        "snowflake query",
        "a lock held too long",
        [ROWS, snowflake_error("000625", "Statement was aborted: lock timeout.")],
        T,
        "lock timeout",
        2,
    ),
    ("snowflake build", "503", [Answer(503)], T, "could not get at the warehouse", None),
    (
        "snowflake build",
        "a lock held too long",
        [ROWS, snowflake_error("000625", "Statement was aborted: lock timeout.")],
        T,
        "could not get at the warehouse.*lock timeout",
        2,
    ),
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
    ("snowflake query", "silent", [SILENT], T, "the sign-in as", None),
    ("snowflake build", "silent", [SILENT], T, "could not get at the warehouse", None),
]
GARBAGE: Final[list[Line]] = [
    ("airbyte read", "HTML", [HTML], T, "Airbyte did not answer", 1),
    ("airbyte read", "a list", [Answer(body="[]")], T, "JSON that is not an object", 1),
    ("airbyte start", "HTML", [HTML], T, "Airbyte did not answer", 1),
    ("powerbi read", "HTML", [HTML], T, "Power BI did not answer", 1),
    ("powerbi read", "a list", [Answer(body="[]")], T, "JSON that is not an object", 1),
    ("powerbi read", "no list", [Answer(body='{"value": 1}')], T, "history is not a list", 1),
    ("s3 list", "HTML", [Answer(body="<html")], T, "could not list", S3_REQUESTS),
    (
        "s3 download",
        "404 in the form of the object",
        [with_checksum(s3_error(404, "NoSuchKey"))],
        T,
        "could not read.*boto3 cannot read",
        1,
    ),
    ("slack bot", "HTML", [HTML], S, "Slack refused it", 1),
    ("snowflake query", "HTML", [HTML], T, "the sign-in as", None),
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
    ("snowflake query", "cut", [cut("snowflake query")], T, "the connection broke", 1),
]
LIMITS: Final[list[Line]] = [
    ("airbyte read", "429 once", [LIMIT, JOB], FINE, "", 2),
    ("airbyte start", "429", [LIMIT], T, "Airbyte answered 429", 1),
    ("powerbi read", "429 once", [LIMIT, HISTORY], FINE, "", 2),
    ("powerbi start", "429", [LIMIT], T, "Power BI answered 429", 1),
    ("slack bot", "429 once", [LIMIT, GOOD["slack bot"]], FINE, "", 2),
    ("slack webhook", "429 once", [LIMIT, GOOD["slack webhook"]], FINE, "", 2),
]
KINDS: Final = (REFUSALS, SIGN_INS, PASSING, SILENCES, GARBAGE, CUTS)
LINES: Final = [line for lines in (*KINDS, LIMITS) for line in lines]


@contextmanager
def without_waiting() -> Iterator[list[float]]:
    """Seconds that clients would sleep between two tries, without the sleep; short time-outs."""
    slept: list[float] = []

    class Clock:
        """A library's `time`, which does not wait."""

        def sleep(self, seconds: float) -> None:
            slept.append(seconds)

        def __getattr__(self, name: str) -> Any:
            return getattr(time, name)

    with pytest.MonkeyPatch.context() as patch:
        for module in (
            "urllib3.util.retry.time",
            "botocore.endpoint.time",
            "slack_sdk.http_retry.builtin_handlers.time",
        ):
            patch.setattr(module, Clock())
        for module_with_timeout in (airbyte_client, http, powerbi, slack):
            if hasattr(module_with_timeout, "TIMEOUT_SECONDS"):
                patch.setattr(module_with_timeout, "TIMEOUT_SECONDS", TIMEOUT)
        patch.setitem(botocore.config.Config.OPTION_DEFAULTS, "read_timeout", TIMEOUT)
        # These take whole seconds.
        for name in ("LOGIN", "SOCKET", "NETWORK"):
            patch.setattr(on_snowflake, f"{name}_TIMEOUT_SECONDS", 1)
        from_settings = SyncClient.from_settings
        patch.setattr(
            SyncClient,
            "from_settings",
            lambda *arguments: from_settings(*arguments).model_copy(
                update={"request_timeout": TIMEOUT}
            ),
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
        snowflake_account="acme",
        snowflake_user="VP_PIPELINE",
        snowflake_password=secret,
        snowflake_url=HttpUrl(url),
        slack_api_url=f"{url}/",
        slack_bot_token=secret,
        slack_webhook_url=SecretStr(f"{url}/services/{SECRET.replace(' ', '-')}"),
    )


@dataclass(frozen=True)
class Cell:
    """The effect of a fault. `seen` is the whole message that a person reads."""

    service: str
    stage: str
    asked_to: str
    fault: str
    seen: str
    retried: str
    lost: str
    healed: str

    def row(self) -> str:
        """A row of the table; a cell is one line without bars."""
        texts = (vars(self)[name] for name in COLUMNS)
        return "| " + " | ".join(" ".join(text.replace("|", "/").split()) for text in texts) + " |"


COLUMNS: Final = {
    "service": "service",
    "stage": "stage",
    "asked_to": "asked to",
    "fault": "fault",
    "seen": "what a person sees",
    "retried": "asked again",
    "lost": "lost",
    "healed": "healed by",
}


def play(line: Line, folder: Path) -> Cell:
    """Make the call during the fault, and again after the service has recovered."""
    call, fault, script, outcome, said, requests = line
    service, asked_to = call.split()
    with misbehaving(GOOD[call]) as calm:
        expected = CALLS[call](settings_for(calm.url, folder))
    failure = None
    with misbehaving(*script) as server:
        settings = settings_for(server.url, folder)
        answer = None
        try:
            answer = CALLS[call](settings)
        except (TransientFailure, PermanentFailure, SlackError) as raised:
            failure = raised
        asked = len(server.asked)
        assert requests in (None, asked), server.asked
        if failure is not None:
            assert isinstance(failure, outcome), failure
            assert re.search(said, sentence_of(failure))
            server.recover(GOOD[call])
            answer = CALLS[call](settings)
    assert outcome is not FINE or failure is None, failure
    seen = told(failure, server.url) if failure else "nothing"
    assert SECRET not in seen
    assert "services" not in seen
    return Cell(
        SERVICES[service],
        STAGES.get(call) or STAGES[service],
        asked_to,
        fault,
        seen,
        "until the time-out" if requests is None else times(asked - len(calm.asked)),
        "nothing" if answer == expected else f"{expected} became {answer}",
        _healing(failure),
    )


def times(repeats: int) -> str:
    return {1: "once"}.get(repeats, f"{repeats} times") if repeats > 0 else "no"


def told(failure: Exception, url: str) -> str:
    """The message without the port and other parts that vary."""
    said = sentence_of(failure).replace(url.removeprefix("http://"), "service")
    return re.sub(r"\d+ attempt\(s\)", "some attempts", said)


def sentence_of(failure: Exception) -> str:
    return str(getattr(failure, "description", None) or failure)


def _healing(failure: Exception | None) -> str:
    if failure is None:
        return "the request made again"
    if isinstance(failure, SlackError):
        return "the next delivery sends it"
    is_retried = getattr(failure, "allow_retries", False)
    return "the next try of the step" if is_retried else "the next run, once it is mended"


# --- Keepa, which Airbyte's connector calls -------------------------------------------------------

# Responses to the connector before Keepa recovers, and the text of the message.
KEEPA: Final[dict[str, tuple[list[int | Response], dict[str, str], str]]] = {
    "500 twice": ([500, 500], {}, ""),
    "502 for good": ([502] * 99, {}, "502"),
    "429 once": ([429], {}, ""),
    "key refused": ([], {"api_key": "an0therk3y"}, "Keepa refuses the API key"),
    "HTML": ([Response("<html>")], {}, "answer is unreadable or holds no products"),
    "cut": ([Response('{"products": [{"asin":')], {}, "answer is unreadable or holds no products"),
}


def play_keepa(fault: str, _folder: Path) -> Cell:
    answers, options, said = KEEPA[fault]
    keepa = Keepa(empty_catalogue())
    keepa.faults = list(answers)
    outcome = ExpectedOutcome.EXPECT_EXCEPTION if said else ExpectedOutcome.EXPECT_SUCCESS
    with servers() as serve, pytest.MonkeyPatch.context() as patch:
        patch.setattr(PAUSES, SimpleNamespace(sleep=lambda _seconds: None))
        url = serve(cast("Starlette", keepa))
        reading = Connector(url, {1: [ASIN]}, **options).read(outcome)
        asked = len(keepa.queries)
        keepa.faults = []
        if said:
            assert not reading.records
            reading, failed = Connector(url, {1: [ASIN]}).read(), reading
            seen = failed.errors[0].message
            assert said in seen
    return Cell(
        "Keepa",
        "ingest",
        "sync",
        fault,
        seen if said else "nothing",
        times(asked - 1),
        "nothing" if [record["asin"] for record in reading.records] == [ASIN] else "a product",
        "the next sync" if said else "the request made again",
    )


# --- The warehouse file ---------------------------------------------------------------------------


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Lock the file from another process that writes."""
    holding = f"import duckdb; held = duckdb.connect({str(path)!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate(b"\n")


@contextmanager
def replaced_by_text(path: Path) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_text("no database")
    yield
    path.write_bytes(kept)


@contextmanager
def without_its_table(path: Path) -> Iterator[None]:
    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table kept rename to moved")
    yield
    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table moved rename to kept")


HOLDER: Final = re.compile(r"by \S+ \(PID \d+\)")
DUCKDB: Final[dict[str, tuple[Callable[[Path], Any], type[Exception]]]] = {
    "in use for 60 s (played: 0 s)": (held_by_another, T),
    "no database": (replaced_by_text, P),
    "a table is gone": (without_its_table, P),
}


def play_duckdb(fault: str, folder: Path) -> Cell:
    harm, expected = DUCKDB[fault]
    path = folder / "dwh.duckdb"
    warehouse = WarehouseResource(settings=fixed(Settings.load(warehouse_file=path)))
    warehouse.transact([Statement("create table kept as select 1 as x")])
    more = [Statement("insert into kept select x + 1 from kept")]
    with pytest.MonkeyPatch.context() as patch, harm(path):
        patch.setattr(on_duckdb, "LOCK_WAIT_SECONDS", 0.0)
        with pytest.raises(expected) as failure:
            warehouse.transact(more)
    rows = warehouse.query("from kept").rows
    return Cell(
        "DuckDB",
        "raw to bi",
        "write",
        fault,
        HOLDER.sub("by another process", sentence_of(failure.value)).replace(str(folder), "home"),
        "for 60 s" if expected is T else "no",
        "nothing" if rows == [(1,)] else f"{rows}",
        _healing(failure.value),
    )


# --- Files in the bucket --------------------------------------------------------------------------

LINES_OF_FILES: Final = (300, 200)


class FileFault(NamedTuple):
    """A change of a sync's files, `after` their day was loaded or before."""

    harm: Callable[[Pipeline, Job], Any]
    heal: Callable[[Pipeline, Job, Mapping[str, bytes]], Any]
    healed_by: str
    after: bool = False
    red: str = "records_equal_lines"


def _put_back(pipeline: Pipeline, job: Job, kept: Mapping[str, bytes]) -> None:
    of_others = {key: pipeline.objects[key] for key in pipeline.objects.keys() - set(job.keys)}
    pipeline.objects = {**{key: kept[key] for key in job.keys}, **of_others}


def _sync_again(pipeline: Pipeline, job: Job, _kept: Mapping[str, bytes]) -> None:
    pipeline.sync(job.day, *LINES_OF_FILES)


def _set(name: str, change: Callable[[bytes], bytes]) -> Callable[[Pipeline, Job], None]:
    """The sync's first file, changed, under its own or another name."""

    def harm(pipeline: Pipeline, job: Job) -> None:
        key = name or job.keys[0]
        pipeline.objects[key] = change(pipeline.objects[job.keys[0]])

    return harm


def _take(pipeline: Pipeline, job: Job) -> bytes:
    return pipeline.objects.pop(job.keys[0])


def _rename(pipeline: Pipeline, job: Job) -> None:
    pipeline.objects["renamed.jsonl.gz"] = _take(pipeline, job)


def _delete_copy(pipeline: Pipeline, _job: Job, _kept: Mapping[str, bytes]) -> None:
    del pipeline.objects["copy.jsonl.gz"]


def _nothing(_pipeline: Pipeline, _job: Job, _kept: Mapping[str, bytes]) -> None:
    pass


_COPY: Final = _set("copy.jsonl.gz", lambda content: content)
# Not compressed, so that the number of lines before the cut does not depend on zlib.
_CUT: Final = _set("", lambda content: gzip.compress(gzip.decompress(content), 0)[:-40])
_BOMB: Final = _set("", lambda content: gzip.compress(gzip.decompress(content) + bytes(20_000_000)))
_EARLIER: Final = "earlier_files_are_whole"
_PUT: Final = "the file put back, and the next run"
FILES: Final[dict[str, FileFault]] = {
    "a file is not there yet": FileFault(_take, _put_back, _PUT),
    "no file is there": FileFault(
        lambda pipeline, _: pipeline.objects.clear(),
        _sync_again,
        "another sync",
        red="files_arrived",
    ),
    "a file is cut": FileFault(_CUT, _put_back, _PUT, red="files_arrived"),
    "a file holds a line of 20 MB": FileFault(_BOMB, _put_back, _PUT, red="files_arrived"),
    "a file is no gzip": FileFault(_set("", lambda _: b"<html>"), _put_back, _PUT),
    "a file is there twice": FileFault(_COPY, _delete_copy, "the copy deleted, and the next run"),
    "an interrupted sync left a file": FileFault(
        lambda pipeline, job: pipeline.sync(job.day, 50, status="failed"),
        _nothing,
        "itself",
        red="",
    ),
    "a file is gone after its load": FileFault(_take, _put_back, _PUT, True, _EARLIER),
    "a file is cut after its load": FileFault(_CUT, _put_back, _PUT, True, _EARLIER),
    "a file is there twice after its load": FileFault(
        _COPY, _delete_copy, "the copy deleted, and the next run", True, _EARLIER
    ),
    "a file is renamed after its load": FileFault(_rename, _nothing, "itself", True, ""),
}


def play_file(fault: str, folder: Path) -> Cell:
    harm, heal, healed_by, after, red = FILES[fault]
    pipeline = Pipeline(folder)
    job = pipeline.sync(0, *LINES_OF_FILES)
    if after:
        assert not pipeline.run(0)
    kept = dict(pipeline.objects)
    harm(pipeline, job)
    if after:
        pipeline.sync(1, 4)
    wrong = pipeline.run(int(after))
    assert wrong == [] if not red else red in wrong
    seen = "; ".join(f"{name}: {pipeline.said[name]}" for name in wrong)
    # The etag depends on the second in which a file was packed.
    seen = re.sub(r"\b[0-9a-f]{32}\b", "…", seen)
    heal(pipeline, job, kept)
    assert pipeline.run(int(after)) == [], pipeline.said
    newest = {job.day: job for job in pipeline.jobs if job.status == "succeeded"}
    rows = sum(count for _, count in pipeline.rows().values())
    lost = sum(job.records for job in newest.values()) - rows
    return Cell(
        "S3",
        "raw" if after else "landing",
        "hold files",
        fault,
        seen or "nothing",
        "by the next run",
        f"{lost} lines" if lost else "nothing",
        healed_by,
    )


# --- The matrix -----------------------------------------------------------------------------------

Fault = Callable[[Path], Cell]
MATRIX: Final = REPOSITORY_DIR / "tests" / "fault_matrix.md"
FAULTS: Final[dict[str, Fault]] = {
    **{f"{line[0]}: {line[1]}": partial(play, line) for line in LINES},
    **{f"keepa: {fault}": partial(play_keepa, fault) for fault in KEEPA},
    **{f"duckdb: {fault}": partial(play_duckdb, fault) for fault in DUCKDB},
    **{f"files: {fault}": partial(play_file, fault) for fault in FILES},
}

_HEAD: Final = """# Faults and their effects

Generated by tests: each row is a fault that `tests/support/faults.py` injects, with the message
that it causes. A test fails if a row differs from what it sees. To regenerate the table:

```bash
python -m tests.support.faults
```

A call that fails for a transient reason is retried where that is safe: within the step first, then
by the retries of the step, then by the next run. Other calls are made once.
"""


def matrix(cells: Iterable[Cell]) -> str:
    """The table as Markdown."""
    rule = "|" + " --- |" * len(COLUMNS)
    rows = [f"| {' | '.join(COLUMNS.values())} |", rule, *(cell.row() for cell in cells)]
    return _HEAD + "\n" + "\n".join(rows) + "\n"


def main() -> None:
    cells = []
    for fault in FAULTS.values():
        with tempfile.TemporaryDirectory() as folder, without_waiting():
            cells.append(fault(Path(folder)))
    MATRIX.write_text(matrix(cells), encoding="utf-8")


if __name__ == "__main__":
    main()
