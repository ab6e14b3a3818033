"""The code location: its dbt manifest and its schedule in Dagster."""

from typing import Any, Final

import requests

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe, settings_probe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.lineage import SCHEDULE_NAME
from veracitypro_pipeline.resources.dbt.command import manifest_fault, manifest_path
from veracitypro_pipeline.resources.http import (
    TIMEOUT_SECONDS,
    answer_to,
    raise_for_status,
    unreachable,
)

SERVICE: Final = "Dagster"
CODE_LOCATION: Final = "veracitypro_pipeline"
# The name that Dagster gives the repository of a `Definitions` object.
REPOSITORY: Final = "__repository__"
RUNNING: Final = "RUNNING"
SCHEDULE_STATE: Final = """
query ScheduleState($selector: ScheduleSelector!) {
  scheduleOrError(scheduleSelector: $selector) {
    __typename
    ... on Schedule { scheduleState { status } }
    ... on ScheduleNotFoundError { message }
    ... on PythonError { message }
  }
}
"""


def _manifest(deployment: Deployment) -> str:
    settings = deployment.settings
    if settings.is_dbt_parsed_here:
        return f"built from these files: {manifest_path(settings).name}"
    if fault := manifest_fault(settings):
        raise ProbeError(fault)
    return "of the dbt project that is deployed"


def _schedule(deployment: Deployment) -> str:
    answer = _schedule_or_error(deployment)
    if answer["__typename"] != "Schedule":
        raise ProbeError(
            f"Dagster has no {SCHEDULE_NAME}: {answer.get('message') or answer['__typename']}",
            "deploy the code location; see its load errors in Dagster's deployment tab",
        )
    status = answer["scheduleState"]["status"]
    if status != RUNNING:
        raise ProbeError(f"{SCHEDULE_NAME} is {status}")
    return f"{SCHEDULE_NAME} is {status}"


def _schedule_or_error(deployment: Deployment) -> dict[str, Any]:
    """Dagster's GraphQL answer about the schedule. Raises dg.Failure."""
    settings = deployment.settings
    assert settings.dagster_api_token is not None
    url = f"{str(settings.dagster_url).rstrip('/')}/graphql"
    selector = {
        "repositoryLocationName": CODE_LOCATION,
        "repositoryName": REPOSITORY,
        "scheduleName": SCHEDULE_NAME,
    }
    try:
        response = answer_to(
            SERVICE,
            requests.Session(),
            "POST",
            url,
            json={"query": SCHEDULE_STATE, "variables": {"selector": selector}},
            headers={"Dagster-Cloud-Api-Token": settings.dagster_api_token.get_secret_value()},
            timeout=TIMEOUT_SECONDS,
        )
        raise_for_status(SERVICE, response)
        # `data` is null if the whole query failed.
        answer: dict[str, Any] = response.json()["data"]["scheduleOrError"]
    except (requests.JSONDecodeError, KeyError, TypeError) as error:
        raise unreachable(SERVICE, url, error) from error
    return answer


MANIFEST: Final[DeploymentProbe] = Probe(
    "dbt manifest", _manifest, "build with `.ci/build`, which makes the manifest, and deploy again"
)
SCHEDULE: Final[tuple[DeploymentProbe, ...]] = (
    settings_probe("schedule", ("dagster_url", "dagster_api_token")),
    Probe(
        "schedule",
        _schedule,
        f"switch {SCHEDULE_NAME} on in Dagster (Automation)",
        after="schedule settings",
    ),
)
