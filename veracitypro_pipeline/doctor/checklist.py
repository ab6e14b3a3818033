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
from veracitypro_pipeline.doctor.check import Finding, findings
from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentCheck, sentence_of
from veracitypro_pipeline.settings import Environment


def checklist(environment: Environment) -> tuple[DeploymentCheck, ...]:
    """The checks of an environment: `local` runs on DuckDB, and only `prod` runs by itself."""
    is_on_snowflake = environment != "local"
    return (
        code_location.MANIFEST,
        *storage.CHECKS,
        *airbyte.CHECKS,
        *warehouse.CHECKS,
        *(snowflake.CHECKS if is_on_snowflake else ()),
        *powerbi.CHECKS,
        *slack.CHECKS,
        *(code_location.SCHEDULE if environment == "prod" else ()),
    )


def examine(deployment: Deployment) -> Iterator[Finding]:
    """Go through the checklist of the deployment's environment."""
    checks = checklist(deployment.settings.environment)
    yield from findings(checks, deployment, explain=sentence_of)
