"""The local Airbyte, called by dagster-airbyte's client: a real sync, and rejected requests."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from dagster_airbyte import AirbyteWorkspace
from starlette.applications import Starlette
from starlette.responses import Response

from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.played_day import TRACKED_ALONE
from veracitypro_pipeline.local.services.airbyte.app import create_airbyte_app
from veracitypro_pipeline.local.services.airbyte.connector import (
    Connector,
    SyncError,
)
from veracitypro_pipeline.local.services.airbyte.destination import Bucket, S3Destination
from veracitypro_pipeline.local.services.airbyte.jobs import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    JobStore,
)
from veracitypro_pipeline.local.services.airbyte.sync import Connection, Syncs
from veracitypro_pipeline.local.services.s3 import s3_client
from veracitypro_pipeline.local.stack.lifecycle import StackState, play_day
from veracitypro_pipeline.sources.connector import CONNECTORS, SourceError, declared_schema
from veracitypro_pipeline.sources.keepa import KEEPA, PRODUCT_RAW

pytestmark = pytest.mark.filterwarnings("ignore:Class:dagster.BetaWarning")

RAW_BUCKET = "vp-raw-local-us-east-2"
NIGHT = datetime(2025, 11, 21, 0, 10, tzinfo=UTC)
SYNC_SECONDS = 120.0
OWN = Credentials()
MANIFEST = CONNECTORS / KEEPA.manifest


def source_config(keepa: str) -> dict[str, Any]:
    """The configuration of the Keepa source, with a key that the local Keepa refuses."""
    return {**KEEPA.configuration({1: ["B0PADDLE01"]}), "base_url": keepa, "api_key": "f" * 64}


# A real sync, in the running stack


@pytest.fixture
def client(local_stack: StackState) -> Any:
    return AirbyteWorkspace(
        rest_api_base_url=local_stack.airbyte_api_url,
        configuration_api_base_url=local_stack.airbyte_configuration_api_url,
        workspace_id=local_stack.airbyte_workspace_id,
        client_id=local_stack.airbyte_client_id,
        client_secret=local_stack.airbyte_client_secret,
        request_max_retries=0,
        poll_interval=0.1,
    ).get_client()


@pytest.fixture
def s3(local_stack: StackState) -> Any:
    return s3_client(
        local_stack.s3_endpoint_url,
        local_stack.aws_access_key_id,
        local_stack.aws_secret_access_key,
    )


def _lines(s3: Any, key: str) -> list[dict[str, Any]]:
    body = s3.get_object(Bucket=RAW_BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def _keys(s3: Any, prefix: str) -> list[str]:
    listing = s3.list_objects_v2(Bucket=RAW_BUCKET, Prefix=prefix)
    return [entry["Key"] for entry in listing.get("Contents", [])]


def _wait(client: Any, job_id: int) -> dict[str, Any]:
    deadline = time.monotonic() + SYNC_SECONDS
    while (job := client.get_job_details(job_id))["status"] == "running":
        assert time.monotonic() < deadline, f"job {job_id} does not end"
        time.sleep(0.05)
    return dict(job)


def test_a_sync_brings_every_tracked_product_to_s3(
    local_stack: StackState, client: Any, s3: Any
) -> None:
    play_day(local_stack, date(2025, 11, 20), products=TRACKED_ALONE)

    job = client.sync_and_poll(local_stack.airbyte_connection_ids["keepa"]).job_details

    assert (job["status"], job["rowsSynced"]) == (SUCCEEDED, 3)
    assert job["startTime"] == "2025-11-21T00:10:00Z"
    assert job["duration"].startswith("PT")
    (key,) = _keys(s3, "env=local/source=keepa/stream=product_raw/2025_11_21_")
    assert key.endswith("_0.jsonl.gz")
    lines = _lines(s3, key)
    data = [line["_airbyte_data"] for line in lines]
    assert sorted((one["domainId"], one["asin"]) for one in data) == [
        (1, "B0PADDLE01"),
        (1, "B0PADDLE02"),
        (3, "B0PADDLE01"),
    ]
    assert job["bytesSynced"] == sum(
        len(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        for line in lines
    )
    for line in lines:
        read_at = datetime.fromtimestamp(line["_airbyte_extracted_at"] / 1000, UTC)
        assert NIGHT <= read_at < NIGHT + timedelta(minutes=5)
        assert line["_airbyte_meta"] == {"sync_id": job["jobId"], "changes": []}
        assert line["_airbyte_data"]["csv"]


def test_a_running_sync_excludes_another_and_can_be_cancelled(
    local_stack: StackState, client: Any, s3: Any
) -> None:
    play_day(local_stack, date(2025, 11, 22), products=TRACKED_ALONE)
    job = client.start_sync_job(local_stack.airbyte_connection_ids["keepa"])
    second = httpx.post(
        f"{local_stack.airbyte_api_url}/jobs",
        headers=client.authorization_request_headers,
        json={"connectionId": local_stack.airbyte_connection_ids["keepa"], "jobType": "sync"},
    )

    cancelled = client.cancel_job(job["jobId"])

    assert job["status"] == "running"
    assert second.status_code == 409
    assert "already running" in second.text
    assert cancelled["status"] == CANCELLED
    assert _wait(client, job["jobId"])["status"] == CANCELLED
    assert _keys(s3, "env=local/source=keepa/stream=product_raw/2025_11_23_") == []


def test_a_sync_that_keepa_rejects_fails_with_the_connectors_reason(
    local_stack: StackState, client: Any, tmp_path: Path
) -> None:
    payload = tmp_path / "B0VANISHED.json"
    payload.write_text(json.dumps({"asin": "B0VANISHED", "domainId": 1}))
    play_day(local_stack, date(2025, 11, 24), products=tmp_path)
    payload.unlink()
    tmp_path.rmdir()
    tmp_path.touch()

    job = _wait(client, client.start_sync_job(local_stack.airbyte_connection_ids["keepa"])["jobId"])

    assert job["status"] == FAILED
    assert "B0VANISHED.json cannot be read" in job["failureReason"]


def test_a_check_of_the_source_is_real(local_stack: StackState, tmp_path: Path) -> None:
    """Our connector reads the token balance of the local Keepa, with the key stored in Airbyte."""
    sign_in = {
        "client_id": local_stack.airbyte_client_id,
        "client_secret": local_stack.airbyte_client_secret,
    }
    rest = local_stack.airbyte_api_url
    token = httpx.post(f"{rest}/applications/token", json=sign_in).json()["access_token"]
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as api:
        listed = api.get(f"{rest}/connections").json()["data"]
        answer = api.post(
            f"{local_stack.airbyte_configuration_api_url}/sources/check_connection",
            json={"sourceId": listed[0]["sourceId"]},
        ).json()
    assert (answer["status"], answer["message"]) == ("succeeded", None)

    config = source_config(local_stack.keepa_url)
    fault = Connector(MANIFEST, KEEPA.secrets, tmp_path).check(config)
    assert fault is not None
    assert "Keepa refuses the API key (HTTP 402)" in fault


def test_the_workspace_and_its_connection_are_described(
    local_stack: StackState, client: Any
) -> None:
    client.validate_workspace_id()
    (listed,) = client.get_connections()
    connection = client.get_connection_details(listed["connectionId"])
    destination = client.get_destination_details(connection["destinationId"])

    assert listed["connectionId"] == local_stack.airbyte_connection_ids["keepa"]
    (stream,) = connection["syncCatalog"]["streams"]
    assert stream["stream"]["name"] == "product_raw"
    assert {"asin", "csv", "salesRanks"} <= stream["stream"]["jsonSchema"]["properties"].keys()
    assert (stream["config"]["syncMode"], stream["config"]["destinationSyncMode"]) == (
        "full_refresh",
        "append",
    )
    assert destination["configuration"]["s3_bucket_name"] == RAW_BUCKET


# The API by itself, over jobs that the test has written


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    ticks = (NIGHT + timedelta(minutes=minutes) for minutes in range(1000))
    return JobStore(tmp_path / "airbyte.json", lambda: next(ticks))


@pytest.fixture
def app_of(jobs: JobStore, tmp_path: Path) -> Callable[..., Starlette]:
    def make(**options: float) -> Starlette:
        connection = Connection(
            source=KEEPA,
            manifest=MANIFEST,
            source_config=lambda: {"api_key": "k"},
            inputs=lambda: "fingerprint",
            reader=lambda folder: Connector(MANIFEST, KEEPA.secrets, folder),
            buckets={PRODUCT_RAW.name: Bucket(client=None, name=RAW_BUCKET, prefix="p/")},
        )
        syncs = [Syncs(connection, jobs, lambda: NIGHT, tmp_path)]
        return create_airbyte_app(
            credentials=OWN, syncs=syncs, jobs=jobs, now=lambda: NIGHT, **options
        )

    return make


def _signed_in(url: str) -> httpx.Client:
    sign_in = {"client_id": OWN.airbyte_client_id, "client_secret": OWN.airbyte_client_secret}
    token = httpx.post(f"{url}/v1/applications/token", json=sign_in).json()["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def api(
    serve: Callable[[Starlette], str], app_of: Callable[..., Starlette]
) -> Iterator[httpx.Client]:
    with _signed_in(serve(app_of())) as client:
        yield client


def _ids(answer: httpx.Response) -> list[int]:
    return [job["jobId"] for job in answer.json()["data"]]


def test_jobs_are_listed_by_status_time_and_page(api: httpx.Client, jobs: JobStore) -> None:
    for status in (SUCCEEDED, FAILED, SUCCEEDED):  # Begun at 00:10, 00:12 and 00:14.
        jobs.finish(jobs.start("keepa", "inputs"), status, "why" if status == FAILED else None)

    assert _ids(api.get("/v1/jobs")) == [3, 2, 1]
    assert _ids(api.get("/v1/jobs", params={"orderBy": "createdAt|ASC"})) == [1, 2, 3]
    assert _ids(api.get("/v1/jobs", params={"status": SUCCEEDED})) == [3, 1]
    assert _ids(api.get("/v1/jobs", params={"createdAtStart": "2025-11-21T00:12:00Z"})) == [3, 2]
    assert _ids(api.get("/v1/jobs", params={"connectionId": "another"})) == []
    first_page = api.get("/v1/jobs", params={"limit": 2})
    assert _ids(first_page) == [3, 2]
    second_page = api.get(first_page.json()["next"])
    assert _ids(second_page) == [1]
    assert second_page.json()["next"] == ""
    assert api.get("/v1/jobs/2").json()["failureReason"] == "why"


def test_a_job_that_ran_when_the_stack_stopped_has_failed(jobs: JobStore, tmp_path: Path) -> None:
    jobs.start("keepa", "inputs")

    (job,) = JobStore(tmp_path / "airbyte.json", lambda: NIGHT).newest_first()

    assert job.status == FAILED
    assert job.failure_reason == "The local stack was stopped while the sync ran."


def test_requests_without_a_valid_token_are_rejected(
    serve: Callable[[Starlette], str], app_of: Callable[..., Starlette]
) -> None:
    url = serve(app_of(token_seconds=0.0))
    wrong = {"client_id": OWN.airbyte_client_id, "client_secret": "wrong"}
    with _signed_in(url) as expired:
        assert expired.get("/v1/jobs").status_code == 401
        assert expired.post("/api/v1/connections/get", json={}).status_code == 401
    assert httpx.get(f"{url}/v1/jobs").status_code == 401
    assert httpx.post(f"{url}/v1/applications/token", json=wrong).status_code == 401


def test_an_unknown_id_is_not_found(api: httpx.Client) -> None:
    for path in ("workspaces/x", "sources/x", "destinations/x", "jobs/99"):
        assert api.get(f"/v1/{path}").status_code == 404
    assert api.delete("/v1/jobs/99").status_code == 404
    sync = {"connectionId": "x", "jobType": "sync"}
    assert api.post("/v1/jobs", json=sync).status_code == 404
    assert api.post("/api/v1/connections/get", json={"connectionId": "x"}).status_code == 404


@pytest.mark.parametrize(
    "parameters",
    [{"limit": "0"}, {"limit": "101"}, {"offset": "-1"}, {"orderBy": "jobId"}],
)
def test_a_listing_that_airbyte_rejects_is_rejected(
    api: httpx.Client, parameters: dict[str, str]
) -> None:
    assert api.get("/v1/jobs", params=parameters).status_code == 400


def test_a_job_of_another_kind_is_rejected(api: httpx.Client) -> None:
    reset = {"connectionId": OWN.airbyte_id("connection", "keepa"), "jobType": "reset"}

    assert api.post("/v1/jobs", json=reset).status_code == 400


def test_a_manifest_without_the_stream_is_rejected_with_a_sentence(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("streams: [{name: tokens}]")

    with pytest.raises(SourceError, match="declares no inline schema of the stream product_raw"):
        declared_schema(manifest, PRODUCT_RAW)


# The S3 destination


@pytest.fixture
def destination_of(s3: Any, tmp_path: Path) -> Callable[..., S3Destination]:
    def make(prefix: str, on_part: Callable[[int, int], None], part_bytes: int) -> S3Destination:
        return S3Destination(
            Bucket(s3, RAW_BUCKET, prefix, part_bytes),
            sync_id=7,
            started_at=NIGHT,
            columns=frozenset({"asin"}),
            on_part=on_part,
            folder=tmp_path,
        )

    return make


def test_large_syncs_are_written_in_parts_with_the_declared_columns_only(
    destination_of: Callable[..., S3Destination], s3: Any
) -> None:
    parts: list[int] = []

    with destination_of("parts/", lambda rows, _: parts.append(rows), 1) as destination:
        for asin in ("A", "B"):
            destination.write({"asin": asin, "undeclared": 1}, NIGHT)

    assert parts == [1, 1]
    keys = _keys(s3, "parts/")
    assert keys == [f"parts/2025_11_21_1763683800000_{part}.jsonl.gz" for part in (0, 1)]
    assert [_lines(s3, key)[0]["_airbyte_data"] for key in keys] == [{"asin": "A"}, {"asin": "B"}]


def test_half_of_an_emoji_anywhere_in_an_answer_is_replaced(
    serve: Callable[[Any], str], s3: Any, tmp_path: Path
) -> None:
    """Texts cut at a fixed length end in one. UTF-8 cannot encode it."""
    damaged_product = """{"asin": "B0PADDLE01", "domainId": 1, "title": "a\\udc00",
        "brand": "\\ud83d\\ud83d\\ude00b", "features": ["c\\u0000", ["\\ud83d"]],
        "unitCount": {"\\udc00": "\\ud83dx"}}"""
    sound_product = """{"asin": "B0PADDLE02", "domainId": 1}"""
    answer = Response(f'{{"products": [{damaged_product}, {sound_product}]}}')
    config = source_config(serve(answer))
    schema = declared_schema(MANIFEST, PRODUCT_RAW)
    with S3Destination(
        Bucket(s3, RAW_BUCKET, "halves/"),
        sync_id=7,
        started_at=NIGHT,
        columns=frozenset(schema["properties"]),
        on_part=lambda _rows, _bytes: None,
        folder=tmp_path,
    ) as destination:
        connector = Connector(MANIFEST, KEEPA.secrets, tmp_path)
        for _, record in connector.read(config, {PRODUCT_RAW.name: schema}):
            destination.write(record, NIGHT)

    (key,) = _keys(s3, "halves/")
    damaged, sound = (line["_airbyte_data"] for line in _lines(s3, key))
    half = "\N{REPLACEMENT CHARACTER}"
    assert sound["asin"] == "B0PADDLE02"
    assert (damaged["title"], damaged["brand"]) == (f"a{half}", f"{half}\N{GRINNING FACE}b")
    assert damaged["features"] == ["c\0", [half]]
    assert damaged["unitCount"] == {half: f"{half}x"}


def test_a_sync_that_fails_leaves_its_finished_parts_only(
    destination_of: Callable[..., S3Destination], s3: Any
) -> None:
    parts: list[int] = []

    def sync() -> None:
        with destination_of("broken/", lambda rows, _: parts.append(rows), 100_000) as destination:
            while not parts:
                destination.write({"asin": "".join(map(chr, range(200, 8000)))}, NIGHT)
            destination.write({"asin": "lost"}, NIGHT)
            raise SyncError("the connector crashed")

    with pytest.raises(SyncError):
        sync()

    (key,) = _keys(s3, "broken/")
    assert "lost" not in [line["_airbyte_data"]["asin"] for line in _lines(s3, key)]


def test_a_sync_without_records_writes_no_object(
    destination_of: Callable[..., S3Destination], s3: Any
) -> None:
    with destination_of("empty/", lambda _rows, _bytes: None, 1):
        pass

    assert _keys(s3, "empty/") == []
