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
from collections.abc import Callable, Mapping
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
    SyncRunningError,
)
from veracitypro_pipeline.local.services.airbyte.sync import Connection, Syncs
from veracitypro_pipeline.local.services.s3 import REGION
from veracitypro_pipeline.resources.airbyte_source import STREAM, SourceError, declared_schema

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
    connection: Connection,
    syncs: Syncs,
    now: Callable[[], datetime],
    token_seconds: float = TOKEN_SECONDS,
) -> Starlette:
    """Airbyte as an ASGI application with one workspace, source, destination and connection."""
    service = _Airbyte(credentials, connection, syncs, now, AccessTokens(token_seconds))
    workspace, source = service.one("workspace"), service.one("source")
    destination = service.one("destination")
    return Starlette(
        routes=[
            Route("/v1/applications/token", service.token, methods=["POST"]),
            Route("/v1/workspaces/{id}", workspace, methods=["GET"]),
            Route("/v1/sources/{id}", source, methods=["GET"]),
            Route("/v1/destinations/{id}", destination, methods=["GET"]),
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
        connection: Connection,
        syncs: Syncs,
        now: Callable[[], datetime],
        tokens: AccessTokens,
    ) -> None:
        self._credentials = credentials
        self._connection = connection
        self._syncs = syncs
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

    def one(self, kind: str) -> Callable[[Request], Response]:
        """The endpoint that describes the workspace, the source or the destination."""

        def describe(request: Request) -> Response:
            self._sign_in(request)
            resource = self._resource(kind)
            _known(kind, request.path_params["id"], resource[f"{kind}Id"])
            return JSONResponse(resource)

        return describe

    def connections(self, request: Request) -> Response:
        self._sign_in(request)
        workspaces = request.query_params.get("workspaceIds", "")
        offset, _ = _page(request)
        is_asked = workspaces in ("", self._credentials.airbyte_workspace_id) and offset == 0
        return JSONResponse({"data": [self._summary()] if is_asked else [], "next": ""})

    async def configured_connection(self, request: Request) -> Response:
        self._sign_in(request)
        asked = (await _json_body(request)).get("connectionId")
        _known("connection", asked, self._credentials.airbyte_connection_id)
        try:
            schema = declared_schema(self._connection.manifest)
        except SourceError as error:
            raise HTTPException(500, str(error)) from error
        stream = {
            "name": STREAM,
            "jsonSchema": schema,
            "supportedSyncModes": ["full_refresh"],
        }
        config = {
            "selected": True,
            "syncMode": "full_refresh",
            "destinationSyncMode": "append",
            "aliasName": STREAM,
        }
        catalog = {"streams": [{"stream": stream, "config": config}]}
        return JSONResponse({**self._summary(), "syncCatalog": catalog})

    async def check_source(self, request: Request) -> Response:
        self._sign_in(request)
        asked = (await _json_body(request)).get("sourceId")
        _known("source", asked, self._credentials.airbyte_source_id)
        fault = await run_in_threadpool(self._syncs.check_source)
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
        _known("connection", asked.get("connectionId"), self._credentials.airbyte_connection_id)
        if asked.get("jobType") != "sync":
            raise HTTPException(400, f"jobType is {asked.get('jobType')!r}, expected 'sync'.")
        try:
            job = self._syncs.start()
        except SyncRunningError as error:
            connection_id = self._credentials.airbyte_connection_id
            raise HTTPException(409, f"A sync is already running for: {connection_id}") from error
        return JSONResponse(self._view(job))

    def get_job(self, request: Request) -> Response:
        return JSONResponse(self._view(self._job(request)))

    def cancel_job(self, request: Request) -> Response:
        job = self._job(request)
        self._syncs.cancel(job)
        return JSONResponse(self._view(job))

    def list_jobs(self, request: Request) -> Response:
        self._sign_in(request)
        asked, own = request.query_params, self._credentials
        offset, limit = _page(request)
        order = asked.get("orderBy", "createdAt|DESC")
        if order not in ORDERS:
            raise HTTPException(400, f"orderBy is {order!r}, expected one of {sorted(ORDERS)}.")
        is_ours = (
            asked.get("connectionId", own.airbyte_connection_id) == own.airbyte_connection_id
            and asked.get("workspaceIds", own.airbyte_workspace_id) == own.airbyte_workspace_id
            and asked.get("jobType", "sync") == "sync"
        )
        since = _instant(asked.get("createdAtStart"))
        jobs = [
            job
            for job in (self._syncs.jobs.newest_first() if is_ours else [])
            if asked.get("status", job.status) == job.status
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
        job = self._syncs.jobs.get(job_id)
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
            "connectionId": self._credentials.airbyte_connection_id,
            "startTime": api_time(job.started_at),
            "lastUpdatedAt": api_time(updated_at),
            "duration": _iso_duration(updated_at - job.started_at),
            "bytesSynced": job.bytes,
            "rowsSynced": job.rows,
        }
        return view | ({"failureReason": job.failure_reason} if job.failure_reason else {})

    def _summary(self) -> dict[str, Any]:
        own = self._credentials
        return {
            "connectionId": own.airbyte_connection_id,
            "name": "keepa_to_s3",
            "workspaceId": own.airbyte_workspace_id,
            "sourceId": own.airbyte_source_id,
            "destinationId": own.airbyte_destination_id,
            "status": "active",
            "prefix": "",
        }

    def _resource(self, kind: str) -> dict[str, Any]:
        own = self._credentials
        at = {"workspaceId": own.airbyte_workspace_id}
        if kind == "workspace":
            return {**at, "name": "local", "dataResidency": "us"}
        if kind == "source":
            return {
                **at,
                "sourceId": own.airbyte_source_id,
                "name": "keepa",
                "sourceType": "custom",
                "configuration": {**self._connection.source_config(), "api_key": MASKED},
            }
        return {
            **at,
            "destinationId": own.airbyte_destination_id,
            "name": "s3",
            "destinationType": "s3",
            "configuration": self._destination_configuration(),
        }

    def _destination_configuration(self) -> dict[str, Any]:
        """The format that `destination.py` writes, as a configuration of the S3 destination."""
        bucket = self._connection.bucket
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


def _known(kind: str, asked: object, known: str) -> None:
    if asked != known:
        raise HTTPException(404, f"There is no {kind} {asked}.")


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
