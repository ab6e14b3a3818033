"""A client for Airbyte's API: that of dagster-airbyte, with our own requests and retries.

The library (0.29.27) retries every error, even of a POST, so a timed-out trigger can start a sync
twice. It fails if a sync is running already, and it filters jobs by a local time labelled UTC. Used
from it: sign-in, token refresh and endpoints.

Import this module only where a client is needed: dagster-airbyte takes seconds to import.
"""

import time
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import requests
from dagster import BetaWarning
from dagster_airbyte.resources import AirbyteClient

from veracitypro_pipeline import full_disk
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.masking import masked
from veracitypro_pipeline.resources.http import (
    TIMEOUT_SECONDS,
    answer_to,
    mount_retries,
    raise_for_status,
    unreachable,
)
from veracitypro_pipeline.settings import Settings

SERVICE: Final = "Airbyte"
RUNNING: Final = frozenset({"running", "pending", "incomplete"})
SUCCEEDED: Final = "succeeded"
# Airbyte's limit.
JOBS_PER_PAGE: Final = 100

Job = Mapping[str, Any]


class SyncClient(AirbyteClient):
    """Starts, finds and follows the sync jobs of one connection."""

    connection_id: str
    sync_timeout: float

    @classmethod
    def from_settings(cls, settings: Settings, connection_id: str) -> "SyncClient":
        """A client of a connection; workspace and credentials must be set."""
        assert settings.airbyte_client_secret is not None
        # The library warns at every use that its client is beta; its version is pinned and tested.
        # The filter is set here, because another thread that imports Dagster resets filters.
        warnings.filterwarnings("ignore", message="Class `AirbyteClient`", category=BetaWarning)
        return cls(
            rest_api_base_url=settings.airbyte_api_url,
            configuration_api_base_url=settings.airbyte_configuration_api_url,
            workspace_id=str(settings.airbyte_workspace_id),
            connection_id=connection_id,
            client_id=settings.airbyte_client_id,
            client_secret=settings.airbyte_client_secret.get_secret_value(),
            request_max_retries=0,
            request_retry_delay=0,
            request_timeout=int(TIMEOUT_SECONDS),
            poll_interval=settings.airbyte_poll_seconds,
            sync_timeout=settings.airbyte_timeout_seconds,
        )

    def workspace(self) -> Mapping[str, Any]:
        """The workspace as Airbyte describes it."""
        return self._single_request(
            "GET", f"{self.rest_api_base_url}/workspaces/{self.workspace_id}"
        )

    def connection(self) -> Mapping[str, Any]:
        """The connection with its streams and their schemas, from the configuration API."""
        return self.get_connection_details(self.connection_id)

    def source(self, source_id: str) -> Mapping[str, Any]:
        """A source with its configuration; secrets are shown as asterisks."""
        return self._single_request("GET", f"{self.rest_api_base_url}/sources/{source_id}")

    def destination(self, destination_id: str) -> Mapping[str, Any]:
        """A destination with its configuration; secrets are shown as asterisks."""
        return self.get_destination_details(destination_id)

    def source_fault(self, source_id: str) -> str | None:
        """Let Airbyte test the source with its stored credentials; return the error, or None."""
        answer = self._single_request(
            "POST",
            f"{self.configuration_api_base_url}/sources/check_connection",
            data={"sourceId": source_id},
        )
        if answer.get("status") == "succeeded":
            return None
        return masked(str(answer.get("message") or "Airbyte gives no reason"))

    def jobs_since(self, begin: datetime) -> list[Job]:
        """The sync jobs of the connection created from `begin` (UTC) on, newest first."""
        jobs: list[Job] = []
        while True:
            page = self._jobs_page({"createdAtStart": f"{begin:%Y-%m-%dT%H:%M:%SZ}"}, len(jobs))
            jobs += page
            if len(page) < JOBS_PER_PAGE:
                return sorted(jobs, key=lambda job: int(job["jobId"]), reverse=True)

    def running_job(self) -> Job | None:
        """The running sync of the connection, or None; Airbyte runs one at a time."""
        newest = self._jobs_page({}, 0)
        return next((job for job in newest if job["status"] in RUNNING), None)

    def _jobs_page(self, filters: Mapping[str, str], offset: int) -> list[Job]:
        answer = self._single_request(
            "GET",
            f"{self.rest_api_base_url}/jobs",
            params={
                "workspaceIds": self.workspace_id,
                "connectionId": self.connection_id,
                "jobType": "sync",
                "orderBy": "createdAt|DESC",
                "limit": JOBS_PER_PAGE,
                "offset": offset,
                **filters,
            },
        )
        return list(answer.get("data", []))

    def find_job(self, job_id: int) -> Job | None:
        """The job with this id, or None if Airbyte does not know it (any more)."""
        try:
            return self.get_job_details(job_id)
        except PermanentFailure as failure:
            if failure.status_code != 404:
                raise
            return None

    def start(self) -> Job:
        """Start a sync and return its job.

        Raises:
            PermanentFailure: with status code 409, a sync is running already; otherwise as
                `raise_for_status`.
            TransientFailure: as `raise_for_status`, or no answer.
        """
        return self.start_sync_job(self.connection_id)

    def wait(self, job_id: int, on_status: Callable[[str], None]) -> Job:
        """Poll a job until it ends and return it; `on_status` gets each status while it runs.

        Raises:
            TransientFailure: the job failed, or still runs after AIRBYTE_TIMEOUT_SECONDS.
            PermanentFailure: the job was cancelled in Airbyte, or the disk is full.
        """
        end = time.monotonic() + self.sync_timeout
        while True:
            job = self.get_job_details(job_id)
            status = str(job["status"])
            if status == SUCCEEDED:
                return job
            if status == "cancelled":
                raise PermanentFailure(
                    f"Airbyte job {job_id} was cancelled in Airbyte; start the run again when"
                    " the reason is gone."
                )
            if status not in RUNNING:
                reason = job.get("failureReason") or "see its log in Airbyte"
                message = f"Airbyte job {job_id} ended as {status!r}: {reason}"
                if full := full_disk.relayed(message):
                    raise PermanentFailure(full)
                raise TransientFailure(message)
            if time.monotonic() > end:
                raise TransientFailure(
                    f"Airbyte job {job_id} is still {status!r} after {self.sync_timeout:.0f} s"
                    " (AIRBYTE_TIMEOUT_SECONDS); the next try waits for it again."
                )
            on_status(status)
            time.sleep(self.poll_interval)

    def _get_session(self, include_additional_request_headers: bool) -> requests.Session:
        return mount_retries(super()._get_session(include_additional_request_headers))

    def _single_request(
        self,
        method: str,
        url: str,
        data: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        include_additional_request_headers: bool = True,
    ) -> Mapping[str, Any]:
        """Replaces the library's method, so that every request follows our rules of retrying."""
        for is_last in (False, True):
            session = self._get_session(include_additional_request_headers)
            response = answer_to(
                SERVICE,
                session,
                method,
                url,
                json=data,
                params=params,
                timeout=self.request_timeout,
            )
            if response.status_code == 401 and include_additional_request_headers and not is_last:
                # The token expired early. A rejected request had no effect, so it can be repeated.
                self._access_token_value = None
                continue
            break
        # Only the library's request for a token comes without the authorization header.
        is_sign_in = not include_additional_request_headers
        raise_for_status(SERVICE, response, is_sign_in=is_sign_in)
        try:
            answer = response.json()
        except requests.JSONDecodeError as error:
            raise unreachable(SERVICE, url, error) from error
        if not isinstance(answer, dict):
            raise TransientFailure(f"Airbyte answered {url} with JSON that is not an object.")
        return answer
