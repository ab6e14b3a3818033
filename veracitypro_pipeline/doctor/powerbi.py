"""Power BI: sign-in of the service principal, and the dataset that it may refresh."""

from typing import Final

from veracitypro_pipeline.doctor.check import Check, Fault
from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentCheck, settings_check
from veracitypro_pipeline.resources.powerbi import REQUIRED


def _sign_in(deployment: Deployment) -> str:
    deployment.powerbi.sign_in()
    return "the service principal gets a token"


def _dataset(deployment: Deployment) -> str:
    dataset = deployment.powerbi.dataset()
    if not dataset.get("isRefreshable"):
        raise Fault(
            f"the dataset {dataset.get('name')!r} cannot be refreshed",
            "publish it in import mode, and let the service principal take it over",
        )
    return f"{dataset.get('name')!r} can be refreshed"


def _history(deployment: Deployment) -> str:
    return f"{len(deployment.powerbi.history())} refreshes listed"


CHECKS: Final[tuple[DeploymentCheck, ...]] = (
    settings_check("powerbi", REQUIRED),
    Check(
        "powerbi sign-in",
        _sign_in,
        "make a client secret of the app registration, and set POWERBI_TENANT_ID, POWERBI_CLIENT_ID"
        " and POWERBI_CLIENT_SECRET",
        after="powerbi settings",
    ),
    Check(
        "powerbi dataset",
        _dataset,
        "add the service principal to the workspace as infra/powerbi/README.md says, and set"
        " POWERBI_WORKSPACE_ID and POWERBI_DATASET_ID",
        after="powerbi sign-in",
    ),
    Check(
        "powerbi history",
        _history,
        "give the service principal the workspace role Contributor",
        after="powerbi dataset",
    ),
)
