"""The checklist of an environment, in the order in which a deployment is set up."""

from collections.abc import Iterator

from veracitypro_pipeline.doctor import (
    airbyte,
    code_location,
    powerbi,
    slack,
    snowflake,
    storage,
    warehouse,
)
from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe, message_of
from veracitypro_pipeline.doctor.probe import Finding, findings
from veracitypro_pipeline.settings import Environment


def checklist(environment: Environment) -> tuple[DeploymentProbe, ...]:
    """The probes of an environment: `local` uses DuckDB, and only `prod` has the schedule on."""
    is_on_snowflake = environment != "local"
    return (
        code_location.MANIFEST,
        *storage.PROBES,
        *airbyte.PROBES,
        *warehouse.PROBES,
        *(snowflake.PROBES if is_on_snowflake else ()),
        *powerbi.PROBES,
        *slack.PROBES,
        *(code_location.SCHEDULE if environment == "prod" else ()),
    )


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Run the checklist of the deployment's environment."""
    probes = checklist(deployment.settings.environment)
    yield from findings(probes, deployment, explain=message_of)
