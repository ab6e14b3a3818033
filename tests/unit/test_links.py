"""The links of the Dagster UI, by the settings of the deployment."""

from typing import Any

import pytest

from veracitypro_pipeline import links
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.sources.keepa import KEEPA, PRODUCT_RAW

DEPLOYED = {
    "environment": "dev",
    "airbyte_workspace_id": "w",
    "airbyte_connection_id": "c",
    "powerbi_workspace_id": "p",
    "powerbi_dataset_id": "d",
}


def test_a_sync_is_linked_on_the_host_of_the_api() -> None:
    cloud = Settings.load(**DEPLOYED)
    own = Settings.load(
        **DEPLOYED, airbyte_configuration_api_url="https://airbyte.example:8443/api/v1/"
    )
    assert links.airbyte_job(cloud, KEEPA, 7) == (
        "https://cloud.airbyte.com/workspaces/w/connections/c/timeline?openLogs=true&jobId=7"
    )
    assert str(links.airbyte_connection(own, KEEPA)).startswith(
        "https://airbyte.example:8443/workspaces/"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "local"},
        {"airbyte_connection_id": None, "powerbi_dataset_id": None},
        {"airbyte_workspace_id": None, "powerbi_workspace_id": None},
    ],
)
def test_without_a_page_there_is_no_link(change: dict[str, Any]) -> None:
    settings = Settings.load(**{**DEPLOYED, **change, "aws_endpoint_url_s3": "http://127.0.0.1:9"})
    assert links.airbyte_job(settings, KEEPA, 7) is None
    assert links.powerbi_dataset(settings) is None
    assert links.landing_files(settings, PRODUCT_RAW) is None
    assert links.runbook(settings, "raw_failed") is None


def test_runbooks_are_linked_where_published_or_beside_the_code() -> None:
    code = {"code_url": "https://code.example/blob/main"}
    assert links.runbook(Settings.load(**code), "raw_failed") == (
        "https://code.example/blob/main/infra/runbooks/raw_failed.md"
    )
    published = Settings.load(**code, runbooks_url="https://docs.example/")
    assert links.runbook(published, "raw_failed") == "https://docs.example/raw_failed.md"
