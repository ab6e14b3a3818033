"""Links from the Dagster UI: to the sync in Airbyte, the files in S3, the dataset in Power BI, and
the runbook of an alert.

A link is None where there is no page: for the stand-ins of `local`, and where a setting is missing.
Links to code are in `code_links.py`, those of Slack messages in `notify`.
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import dagster as dg

from veracitypro_pipeline.lineage import POWERBI_DATASET, ingest_key, landing_key
from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.source import Source, Stream

# The end of each check's description.
_RUNBOOK: Final = re.compile(r"Runbook: (?P<file>infra/runbooks/(?P<name>\w+)\.md)$")


def of_asset(settings: Settings, key: dg.AssetKey, runbook_name: str) -> dict[str, Any]:
    """The links of an asset, as metadata."""
    all_places = {POWERBI_DATASET: {"powerbi_dataset": powerbi_dataset(settings)}}
    for source in SOURCES:
        for stream in source.streams:
            connection = airbyte_connection(settings, source)
            all_places[ingest_key(stream)] = {"airbyte_connection": connection}
            all_places[landing_key(stream)] = {"landing_files": landing_files(settings, stream)}
    places = all_places.get(key, {})
    address = runbook(settings, runbook_name)
    file = f"infra/runbooks/{runbook_name}.md"
    return {
        **{name: dg.MetadataValue.url(place) for name, place in places.items() if place},
        "runbook": (
            dg.MetadataValue.path(str(REPOSITORY_DIR / file))
            if address is None
            else dg.MetadataValue.url(address)
        ),
    }


def with_runbooks(
    checks: dg.AssetChecksDefinition, address: Callable[[str], str | None]
) -> dg.AssetChecksDefinition:
    """The checks with a link to the runbook in each description, if `address` has one."""
    specs = {
        name: spec._replace(description=linked(str(spec.description), address))
        for name, spec in checks.node_check_specs_by_output_name.items()
    }
    made: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        keys_by_input_name=checks.node_keys_by_input_name,
        node_def=checks.op,
        check_specs_by_output_name=specs,
        can_subset=checks.can_subset,
        resource_defs=checks.resource_defs,
    )
    return made


def linked(description: str, address: Callable[[str], str | None]) -> str:
    """A check's description in which the runbook is a link."""
    named = _RUNBOOK.search(description)
    place = address(named["name"]) if named else None
    if named is None or place is None:
        return description
    return f"{description[: named.start()]}Runbook: [{named['file']}]({place})"


def airbyte_connection(settings: Settings, source: Source) -> str | None:
    """The timeline of a source's connection in Airbyte's UI, on its configuration API's host."""
    workspace, connection = settings.airbyte_workspace_id, getattr(settings, source.connection)
    if settings.environment == "local" or not workspace or not connection:
        return None
    host = urlsplit(settings.airbyte_configuration_api_url)
    place = f"workspaces/{quote(workspace)}/connections/{quote(connection)}/timeline"
    return f"{host.scheme}://{host.netloc}/{place}"


def airbyte_job(settings: Settings, source: Source, job_id: int) -> str | None:
    """The same, with the logs of a job open."""
    connection = airbyte_connection(settings, source)
    return None if connection is None else f"{connection}?openLogs=true&jobId={job_id}"


def landing_files(settings: Settings, stream: Stream) -> str | None:
    """The landing prefix of a stream in the AWS console."""
    if settings.environment == "local" or settings.aws_endpoint_url_s3 is not None:
        return None
    region, prefix = settings.aws_region, quote(stream.prefix(settings.environment))
    return (
        f"https://{region}.console.aws.amazon.com/s3/buckets/{settings.raw_bucket}"
        f"?region={region}&prefix={prefix}"
    )


def powerbi_dataset(settings: Settings) -> str | None:
    """The semantic model in Power BI, with its refresh history."""
    workspace, dataset = settings.powerbi_workspace_id, settings.powerbi_dataset_id
    if settings.environment == "local" or not workspace or not dataset:
        return None
    return f"https://app.powerbi.com/groups/{quote(workspace)}/datasets/{quote(dataset)}/details"


def runbook(settings: Settings, name: str) -> str | None:
    """The page of a runbook, below VP_RUNBOOKS_URL or else VP_CODE_URL."""
    if settings.runbooks_url is not None:
        return f"{settings.runbooks_url.rstrip('/')}/{quote(name)}.md"
    if settings.code_url is not None:
        return f"{settings.code_url.rstrip('/')}/infra/runbooks/{quote(name)}.md"
    return None
