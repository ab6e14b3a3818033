"""The local Power BI over HTTP: sign-in, one refresh at a time, the refresh history."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.services.powerbi import Refreshes, create_powerbi_app

NIGHT = datetime(2025, 11, 21, 0, 10, tzinfo=UTC)
LONG_SECONDS = 3600.0
AT_ONCE = 0.0
OWN = Credentials()
DATASET = f"/v1.0/myorg/groups/{OWN.powerbi_workspace_id}/datasets/{OWN.powerbi_dataset_id}"
REFRESHES = f"{DATASET}/refreshes"


@pytest.fixture
def refreshes(tmp_path: Path) -> Refreshes:
    return Refreshes(tmp_path / "refreshes.json", lambda: NIGHT, seconds=AT_ONCE)


@pytest.fixture
def url(serve: Callable[[Starlette], str], refreshes: Refreshes) -> str:
    return serve(create_powerbi_app(credentials=OWN, refreshes=refreshes))


def _sign_in(url: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": OWN.powerbi_client_id,
        "client_secret": OWN.powerbi_client_secret,
        "scope": "https://analysis.windows.net/powerbi/api/.default",
    }
    return httpx.post(f"{url}/{OWN.powerbi_tenant_id}/oauth2/v2.0/token", data=form | changes)


@pytest.fixture
def client(url: str) -> httpx.Client:
    token = _sign_in(url).json()["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})


def test_a_refresh_is_followed_by_its_request_id_to_its_end(
    client: httpx.Client, refreshes: Refreshes
) -> None:
    first = client.post(REFRESHES, json={"notifyOption": "NoNotification"})
    second = client.post(REFRESHES)

    assert first.status_code == second.status_code == 202
    assert first.headers["RequestId"] == first.headers["x-ms-request-id"]
    history = client.get(REFRESHES, params={"$top": 5}).json()["value"]
    assert history[1] == {
        "requestId": first.headers["RequestId"],
        "id": 1,
        "refreshType": "ViaApi",
        "startTime": "2025-11-21T00:10:00Z",
        "endTime": "2025-11-21T00:10:00Z",
        "status": "Completed",
    }
    assert history[0]["requestId"] == second.headers["RequestId"]
    assert len(client.get(REFRESHES, params={"$top": 1}).json()["value"]) == 1


def test_only_one_refresh_runs_at_a_time(client: httpx.Client, refreshes: Refreshes) -> None:
    refreshes.seconds = LONG_SECONDS
    client.post(REFRESHES)

    refused = client.post(REFRESHES)

    assert refused.status_code == 400
    assert "Another refresh request is already executing" in refused.text
    (running,) = client.get(REFRESHES).json()["value"]
    assert running["status"] == "Unknown"
    assert "endTime" not in running


def test_a_failing_refresh_can_be_rehearsed(client: httpx.Client, refreshes: Refreshes) -> None:
    refreshes.outcome = "Failed"
    client.post(REFRESHES)

    (failed,) = client.get(REFRESHES).json()["value"]

    assert failed["status"] == "Failed"
    assert "errorCode" in failed["serviceExceptionJson"]


def test_the_history_is_there_after_a_restart(
    client: httpx.Client, refreshes: Refreshes, tmp_path: Path
) -> None:
    client.post(REFRESHES)

    again = Refreshes(tmp_path / "refreshes.json", lambda: NIGHT)

    assert again.newest(1) == refreshes.newest(1) != []


def test_the_dataset_is_described(client: httpx.Client) -> None:
    assert client.get(DATASET).json()["id"] == OWN.powerbi_dataset_id


def test_requests_without_a_valid_token_are_rejected(url: str) -> None:
    wrong = {"Authorization": "Bearer wrong"}

    assert httpx.post(f"{url}{REFRESHES}").status_code == 401
    assert httpx.get(f"{url}{REFRESHES}", headers=wrong).status_code == 401
    assert httpx.get(f"{url}{DATASET}", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"scope": ""}, 400, "invalid_request"),
    ],
)
def test_a_wrong_sign_in_is_rejected(
    url: str, changes: dict[str, str], status: int, error: str
) -> None:
    answer = _sign_in(url, **changes)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_an_unknown_id_is_not_found(client: httpx.Client) -> None:
    other_workspace = REFRESHES.replace(OWN.powerbi_workspace_id, "other")
    other_dataset = REFRESHES.replace(OWN.powerbi_dataset_id, "other")

    assert client.get(other_workspace).status_code == 404
    assert client.post(other_dataset).status_code == 404
    assert client.get(REFRESHES, params={"$top": "many"}).status_code == 400
