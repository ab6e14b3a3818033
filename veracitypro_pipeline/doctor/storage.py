"""S3: the landing bucket can be listed and read, the monitoring bucket written and read."""

from itertools import islice
from typing import Final

from pydantic import BaseModel

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError

# The key of the value that is written and read back. It is not deleted; the next run overwrites it.
WRITTEN_KEY: Final = "doctor/probe"
MOST_LISTED: Final = 1_000


class WrittenValue(BaseModel):
    """The value that is written to prove the right to write."""

    note: str = "written by vp doctor"


def _list(deployment: Deployment) -> str:
    settings = deployment.settings
    listing = deployment.s3.list_objects(settings.raw_bucket, settings.landing_prefix)
    seen = sum(1 for _ in islice(listing, MOST_LISTED))
    count = f"{seen} objects" if seen < MOST_LISTED else f"{MOST_LISTED} objects or more"
    return f"{count} in s3://{settings.raw_bucket}/{settings.landing_prefix}"


def _read(deployment: Deployment) -> str:
    settings = deployment.settings
    listing = deployment.s3.list_objects(settings.raw_bucket, settings.landing_prefix)
    first = next(listing, None)
    if first is None:
        return "no object to read yet; the first sync writes one"
    deployment.s3.read_start(settings.raw_bucket, first.key)
    return f"read the start of {first.key.removeprefix(settings.landing_prefix)}"


def _handover(deployment: Deployment) -> str:
    deployment.state_store.write(WRITTEN_KEY, WrittenValue())
    if deployment.state_store.read(WRITTEN_KEY, WrittenValue) is None:
        raise ProbeError(
            f"the value written to {deployment.settings.monitoring_bucket} cannot be read back"
        )
    return f"wrote and read a value in s3://{deployment.settings.monitoring_bucket}"


_POLICY: Final = (
    "deploy infra/aws/storage.yaml and infra/aws/access.yaml for this environment, and sign in as"
    " the role or user of Dagster (AWS_ACCESS_KEY_ID, or the AWS default chain)"
)

PROBES: Final[tuple[DeploymentProbe, ...]] = (
    Probe("s3 list", _list, _POLICY),
    Probe("s3 read", _read, _POLICY, after="s3 list"),
    Probe("s3 handover", _handover, _POLICY, after="s3 list"),
)
