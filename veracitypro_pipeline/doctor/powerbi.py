"""Power BI: sign-in of the service principal, and the dataset that it may refresh."""

from typing import Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe, settings_probe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.resources.powerbi import REQUIRED


def _sign_in(deployment: Deployment) -> str:
    deployment.powerbi.sign_in()
    return "the service principal gets a token"


def _dataset(deployment: Deployment) -> str:
    dataset = deployment.powerbi.dataset()
    if not dataset.get("isRefreshable"):
        raise ProbeError(
            f"the dataset {dataset.get('name')!r} cannot be refreshed",
            "publish it in import mode, and let the service principal take it over",
        )
    return f"{dataset.get('name')!r} can be refreshed"


def _history(deployment: Deployment) -> str:
    return f"{len(deployment.powerbi.history())} refreshes listed"


PROBES: Final[tuple[DeploymentProbe, ...]] = (
    settings_probe("powerbi", REQUIRED),
    Probe(
        "powerbi sign-in",
        _sign_in,
        "make a client secret of the app registration, and set POWERBI_TENANT_ID, POWERBI_CLIENT_ID"
        " and POWERBI_CLIENT_SECRET",
        after="powerbi settings",
    ),
    Probe(
        "powerbi dataset",
        _dataset,
        "add the service principal to the workspace as described in infra/powerbi/README.md, and"
        " set POWERBI_WORKSPACE_ID and POWERBI_DATASET_ID",
        after="powerbi sign-in",
    ),
    Probe(
        "powerbi history",
        _history,
        "give the service principal the workspace role Contributor",
        after="powerbi dataset",
    ),
)
