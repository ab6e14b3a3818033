"""Power BI's REST API: start a dataset refresh and look it up by its request id.

Source: Power BI REST API, "Datasets - Refresh Dataset In Group" and "Get Refresh History In
Group"; Microsoft identity platform, client credentials flow. dagster-powerbi 0.29.27 is not used:
it follows the newest refresh, which may be another one, and has no timeouts.
"""

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg
import requests

from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.resources.http import (
    TIMEOUT_SECONDS,
    answer_to,
    mount_retries,
    raise_for_status,
    unreachable,
)
from veracitypro_pipeline.resources.run_settings import RunSettings
from veracitypro_pipeline.settings import Settings

SERVICE: Final = "Power BI"
SIGN_IN: Final = "Microsoft sign-in"
SCOPE: Final = "https://analysis.windows.net/powerbi/api/.default"
HISTORY: Final = 20

REQUIRED: Final = (
    "powerbi_tenant_id",
    "powerbi_client_id",
    "powerbi_client_secret",
    "powerbi_workspace_id",
    "powerbi_dataset_id",
)

Refresh = Mapping[str, Any]


class PowerBIClient:
    """A client for one dataset, signed in as the service principal. Needs `REQUIRED` settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session = mount_retries(requests.Session())
        self._dataset = (
            f"{settings.powerbi_api_url}/groups/{settings.powerbi_workspace_id}"
            f"/datasets/{settings.powerbi_dataset_id}"
        )
        self._refreshes = f"{self._dataset}/refreshes"

    def sign_in(self) -> None:
        """Get an access token and discard it. Raises as `history` does."""
        self._access_token()

    def dataset(self) -> Mapping[str, Any]:
        """The dataset as Power BI describes it. Raises as `history` does."""
        response = self._request("GET", self._dataset)
        raise_for_status(SERVICE, response)
        return _object(response, self._dataset)

    def start_refresh(self) -> str:
        """Start a refresh and return its request id.

        Raises:
            TransientFailure: no answer, 408, 429 or 5xx, or another refresh is still running.
            PermanentFailure: any other error status.
        """
        response = self._request("POST", self._refreshes, json={"notifyOption": "NoNotification"})
        if response.status_code == 400 and "another refresh" in response.text.lower():
            raise TransientFailure(
                "Power BI is still running another refresh of the dataset; this one is retried"
                " later."
            )
        raise_for_status(SERVICE, response)
        request_id = response.headers.get("RequestId") or response.headers.get("x-ms-request-id")
        if not request_id:
            raise PermanentFailure(
                "Power BI accepted the refresh but returned no request id in its headers, so it"
                " cannot be followed; look at the dataset's refresh history."
            )
        return request_id

    def refresh(self, request_id: str) -> Refresh | None:
        """The history entry of one refresh, or None while Power BI does not list it yet."""
        entries = self.history()
        return next((entry for entry in entries if entry.get("requestId") == request_id), None)

    def history(self, at_least: int = HISTORY) -> list[Refresh]:
        """The latest refreshes, newest first: up to `HISTORY` of them, or up to `at_least`.

        Raises:
            TransientFailure: no answer, an unreadable one, 408, 429 or 5xx.
            PermanentFailure: any other error status.
        """
        response = self._request("GET", self._refreshes, params={"$top": max(HISTORY, at_least)})
        raise_for_status(SERVICE, response)
        entries = _object(response, self._refreshes).get("value")
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            raise TransientFailure(
                "Power BI's refresh history is not a list. The request is retried later."
            )
        return entries

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send one request. After a 401 it is sent once more with a new token, which is safe: a
        rejected request had no effect."""
        for is_last in (False, True):
            headers = {"Authorization": f"Bearer {self._access_token()}"}
            response = answer_to(
                SERVICE,
                self._session,
                method,
                url,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                **options,
            )
            if response.status_code != 401 or is_last:
                break
        return response

    def _access_token(self) -> str:
        """A new token for each call: a refresh can outlive a token, and calls are few."""
        settings = self._settings
        url = f"{settings.powerbi_authority_url}/{settings.powerbi_tenant_id}/oauth2/v2.0/token"
        assert settings.powerbi_client_secret is not None
        response = answer_to(
            SIGN_IN,
            self._session,
            "POST",
            url,
            data={
                "grant_type": "client_credentials",
                "client_id": settings.powerbi_client_id,
                "client_secret": settings.powerbi_client_secret.get_secret_value(),
                "scope": SCOPE,
            },
            timeout=TIMEOUT_SECONDS,
        )
        raise_for_status(SIGN_IN, response, is_sign_in=True)
        token = _object(response, url, SIGN_IN).get("access_token")
        if not token:
            raise TransientFailure(
                "Microsoft sign-in returned no access token. The request is retried later."
            )
        return str(token)


def _object(response: requests.Response, url: str, service: str = SERVICE) -> Mapping[str, Any]:
    """The JSON object of a response; a body that is not JSON counts as no answer."""
    try:
        answer = response.json()
    except requests.JSONDecodeError as error:
        raise unreachable(service, url, error) from error
    if not isinstance(answer, dict):
        raise TransientFailure(f"{service} answered {url} with JSON that is not an object.")
    return answer


class PowerBIResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Power BI dataset behind the reports."""

    settings: dg.ResourceDependency[RunSettings]

    def client(self) -> PowerBIClient:
        """A client. Raises PermanentFailure if a setting is missing."""
        return PowerBIClient(self.settings.get(*REQUIRED))

    @property
    def daily_refreshes(self) -> int:
        return self.settings.get().powerbi_daily_refreshes

    @property
    def poll_seconds(self) -> float:
        return self.settings.get().powerbi_poll_seconds

    @property
    def timeout_seconds(self) -> float:
        return self.settings.get().powerbi_timeout_seconds
