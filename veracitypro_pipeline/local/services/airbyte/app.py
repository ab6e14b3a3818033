"""A stand-in for Airbyte Cloud: the endpoints that dagster-airbyte and our sync client call.

Imitates, from Airbyte's public API reference (`/v1`: applications, workspaces, connections,
sources, destinations, jobs), the configuration API (`/api/v1/connections/get`,
`/api/v1/sources/check_connection`) and the specification of the S3 destination: client credentials
and expiring tokens, paging, one sync at a time per connection (409), statuses and counts of a job,
secrets as asterisks, 401, 404. A sync and a check are real: they run our connector manifest; a sync
writes to S3 (`sync.py`).

Does not imitate: creating or changing connections, schedules, several attempts per job, jobs other
than syncs, state. `failureReason` of a job is ours: the public API has none.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from veracitypro_pipeline.local.bearer import AccessTokens, same_secret
from veracitypro_pipeline.local.clock import api_time
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.services.airbyte.jobs import (
    RUNNING,
    Job,
    JobStore,
    SyncRunningError,
)
from veracitypro_pipeline.local.services.airbyte.sync import Syncs
from veracitypro_pipeline.local.services.s3 import REGION
from veracitypro_pipeline.sources.connector import SourceError, declared_schema

# As in Airbyte Cloud; clients get a new token before it expires.
TOKEN_SECONDS: Final = 180.0
PAGE_SIZE: Final = 20
MAX_PAGE_SIZE: Final = 100
# How Airbyte shows a secret.
MASKED: Final = "**********"
ORDERS: Final = frozenset(
    f"{field}|{direction}" for field in ("createdAt", "updatedAt") for direction in ("ASC", "DESC")
)


def create_airbyte_app(
    *,
    credentials: Credentials,
    syncs: Sequence[Syncs],
    jobs: JobStore,
    now: Callable[[], datetime],
    token_seconds: float = TOKEN_SECONDS,
) -> Starlette:
    """Airbyte as an ASGI application with one workspace, and a source, a destination and a
    connection for each of `syncs`, whose jobs are in `jobs`."""
    service = _Airbyte(credentials, syncs, jobs, now, AccessTokens(token_seconds))
    return Starlette(
        routes=[
            Route("/v1/applications/token", service.token, methods=["POST"]),
            Route("/v1/workspaces/{id}", service.workspace, methods=["GET"]),
            Route("/v1/sources/{id}", service.source, methods=["GET"]),
            Route("/v1/destinations/{id}", service.destination, methods=["GET"]),
            Route("/v1/connections", service.connections, methods=["GET"]),
            Route("/v1/jobs", service.list_jobs, methods=["GET"]),
            Route("/v1/jobs", service.create_job, methods=["POST"]),
            Route("/v1/jobs/{job_id:int}", service.get_job, methods=["GET"]),
            Route("/v1/jobs/{job_id:int}", service.cancel_job, methods=["DELETE"]),
            Route("/api/v1/connections/get", service.configured_connection, methods=["POST"]),
            Route("/api/v1/sources/check_connection", service.check_source, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refusal},
    )


class _Airbyte:
    def __init__(
        self,
        credentials: Credentials,
        syncs: Sequence[Syncs],
        jobs: JobStore,
        now: Callable[[], datetime],
        tokens: AccessTokens,
    ) -> None:
        self._credentials = credentials
        self._syncs = syncs
        self._jobs = jobs
        self._now = now
        self._tokens = tokens

    async def token(self, request: Request) -> Response:
        asked, own = await _json_body(request), self._credentials
        if asked.get("client_id") != own.airbyte_client_id or not same_secret(
            asked.get("client_secret"), own.airbyte_client_secret
        ):
            raise HTTPException(401, "The client id or the client secret is wrong.")
        return JSONResponse(
            {
                "access_token": self._tokens.issue(),
                "token_type": "Bearer",
                "expires_in": int(self._tokens.lifetime_seconds),
            }
        )

    def workspace(self, request: Request) -> Response:
        self._sign_in(request)
        own = self._credentials.airbyte_workspace_id
        if request.path_params["id"] != own:
            raise HTTPException(404, f"There is no workspace {request.path_params['id']}.")
        return JSONResponse({"workspaceId": own, "name": "local", "dataResidency": "us"})

    def source(self, request: Request) -> Response:
        self._sign_in(request)
        syncs = self._of("source", request.path_params["id"])
        source = syncs.connection.source
        masked = dict.fromkeys(source.secrets, MASKED)
        return JSONResponse(
            {
                "workspaceId": self._credentials.airbyte_workspace_id,
                "sourceId": request.path_params["id"],
                "name": source.name,
                "sourceType": "custom",
                "configuration": {**syncs.connection.source_config(), **masked},
            }
        )

    def destination(self, request: Request) -> Response:
        self._sign_in(request)
        syncs = self._of("destination", request.path_params["id"])
        return JSONResponse(
            {
                "workspaceId": self._credentials.airbyte_workspace_id,
                "destinationId": request.path_params["id"],
                "name": "s3",
                "destinationType": "s3",
                "configuration": _destination_configuration(syncs),
            }
        )

    def connections(self, request: Request) -> Response:
        self._sign_in(request)
        workspaces = request.query_params.get("workspaceIds", "")
        offset, limit = _page(request)
        is_asked = workspaces in ("", self._credentials.airbyte_workspace_id)
        page = self._syncs[offset : offset + limit] if is_asked else ()
        return JSONResponse({"data": [self._summary(syncs) for syncs in page], "next": ""})

    async def configured_connection(self, request: Request) -> Response:
        self._sign_in(request)
        syncs = self._of("connection", (await _json_body(request)).get("connectionId"))
        connection = syncs.connection
        try:
            schemas = {
                stream.name: declared_schema(connection.manifest, stream)
                for stream in connection.source.streams
            }
        except SourceError as error:
            raise HTTPException(500, str(error)) from error
        streams = [
            {
                "stream": {
                    "name": name,
                    "jsonSchema": schema,
                    "supportedSyncModes": ["full_refresh"],
                },
                "config": {
                    "selected": True,
                    "syncMode": "full_refresh",
                    "destinationSyncMode": "append",
                    "aliasName": name,
                },
            }
            for name, schema in schemas.items()
        ]
        return JSONResponse({**self._summary(syncs), "syncCatalog": {"streams": streams}})

    async def check_source(self, request: Request) -> Response:
        self._sign_in(request)
        asked = (await _json_body(request)).get("sourceId")
        fault = await run_in_threadpool(self._of("source", asked).check_source)
        return JSONResponse(
            {
                "status": "succeeded" if fault is None else "failed",
                "message": fault,
                "jobInfo": {
                    "configType": "check_connection_source",
                    "configId": asked,
                    "succeeded": True,
                },
            }
        )

    async def create_job(self, request: Request) -> Response:
        self._sign_in(request)
        asked = await _json_body(request)
        syncs = self._of("connection", asked.get("connectionId"))
        if asked.get("jobType") != "sync":
            raise HTTPException(400, f"jobType is {asked.get('jobType')!r}, expected 'sync'.")
        try:
            job = syncs.start()
        except SyncRunningError as error:
            running = asked["connectionId"]
            raise HTTPException(409, f"A sync is already running for: {running}") from error
        return JSONResponse(self._view(job))

    def get_job(self, request: Request) -> Response:
        return JSONResponse(self._view(self._job(request)))

    def cancel_job(self, request: Request) -> Response:
        job = self._job(request)
        for syncs in self._syncs:
            if syncs.connection.source.name == job.source:
                syncs.cancel(job)
        return JSONResponse(self._view(job))

    def list_jobs(self, request: Request) -> Response:
        self._sign_in(request)
        asked = request.query_params
        offset, limit = _page(request)
        order = asked.get("orderBy", "createdAt|DESC")
        if order not in ORDERS:
            raise HTTPException(400, f"orderBy is {order!r}, expected one of {sorted(ORDERS)}.")
        workspace = self._credentials.airbyte_workspace_id
        is_ours = (
            asked.get("workspaceIds", workspace) == workspace
            and asked.get("jobType", "sync") == "sync"
        )
        since = _instant(asked.get("createdAtStart"))
        jobs = [
            job
            for job in (self._jobs.newest_first() if is_ours else [])
            if asked.get("connectionId", self._id("connection", job.source))
            == self._id("connection", job.source)
            and asked.get("status", job.status) == job.status
            and (since is None or job.started_at >= since)
        ]
        if order.endswith("ASC"):
            jobs.reverse()
        page = jobs[offset : offset + limit]
        next_url = request.url.include_query_params(offset=offset + limit, limit=limit)
        has_more = offset + limit < len(jobs)
        data = [self._view(job) for job in page]
        return JSONResponse({"data": data, "next": str(next_url) if has_more else ""})

    def _sign_in(self, request: Request) -> None:
        if not self._tokens.accepts(request):
            raise HTTPException(401, "The access token is missing, wrong or has expired.")

    def _job(self, request: Request) -> Job:
        self._sign_in(request)
        job_id = request.path_params["job_id"]
        job = self._jobs.get(job_id)
        if job is None:
            raise HTTPException(404, f"There is no job {job_id}.")
        return job

    def _view(self, job: Job) -> dict[str, Any]:
        """A job as the public API returns it."""
        updated_at = self._now() if job.status == RUNNING else job.updated_at
        view = {
            "jobId": job.job_id,
            "status": job.status,
            "jobType": "sync",
            "connectionId": self._id("connection", job.source),
            "startTime": api_time(job.started_at),
            "lastUpdatedAt": api_time(updated_at),
            "duration": _iso_duration(updated_at - job.started_at),
            "bytesSynced": job.bytes,
            "rowsSynced": job.rows,
        }
        return view | ({"failureReason": job.failure_reason} if job.failure_reason else {})

    def _summary(self, syncs: Syncs) -> dict[str, Any]:
        source = syncs.connection.source.name
        return {
            "connectionId": self._id("connection", source),
            "name": f"{source}_to_s3",
            "workspaceId": self._credentials.airbyte_workspace_id,
            "sourceId": self._id("source", source),
            "destinationId": self._id("destination", source),
            "status": "active",
            "prefix": "",
        }

    def _of(self, kind: str, asked: object) -> Syncs:
        """The syncs to which the id of a connection, a source or a destination belongs."""
        for syncs in self._syncs:
            if self._id(kind, syncs.connection.source.name) == asked:
                return syncs
        raise HTTPException(404, f"There is no {kind} {asked}.")

    def _id(self, kind: str, source: str) -> str:
        return self._credentials.airbyte_id(kind, source)


def _destination_configuration(syncs: Syncs) -> dict[str, Any]:
    """What `destination.py` writes, in the words of the S3 destination."""
    (bucket,) = syncs.connection.buckets.values()
    return {
        "access_key_id": MASKED,
        "secret_access_key": MASKED,
        "s3_bucket_name": bucket.name,
        "s3_bucket_path": bucket.prefix.strip("/"),
        "s3_bucket_region": REGION,
        "s3_path_format": "${YEAR}_${MONTH}_${DAY}_${EPOCH}_",
        "format": {
            "format_type": "JSONL",
            "compression": {"compression_type": "GZIP"},
            "flattening": "No flattening",
        },
    }


def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"status": error.status_code, "message": error.detail}
    return JSONResponse(body, error.status_code)


async def _json_body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(await request.body())
    except ValueError:
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body is not a JSON object.")
    return body


def _page(request: Request) -> tuple[int, int]:
    """Offset and limit of a listing."""
    offset = request.query_params.get("offset", "0")
    limit = request.query_params.get("limit", str(PAGE_SIZE))
    if not offset.isdigit() or not limit.isdigit() or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        raise HTTPException(400, f"offset={offset}, limit={limit}: limit is 1 to {MAX_PAGE_SIZE}.")
    return int(offset), int(limit)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise HTTPException(400, f"createdAtStart is {text!r}, expected an ISO instant.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _iso_duration(duration: timedelta) -> str:
    """ISO 8601: PT1H2M3S."""
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    return "PT" + ("".join(f"{value}{unit}" for value, unit in parts if value) or "0S")
