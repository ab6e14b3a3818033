"""S3: the landing bucket can be listed and read, the monitoring bucket written and read."""

from itertools import islice
from typing import Final

from pydantic import BaseModel

from veracitypro_pipeline.doctor.check import Check, Fault
from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentCheck

# The name of the value that is written and read again; it stays, and is overwritten.
PROBE: Final = "doctor/probe"
LOOKED_AT: Final = 1_000


class Probe(BaseModel):
    """What is written to see that one may write."""

    note: str = "written by vp doctor"


def _list(deployment: Deployment) -> str:
    settings = deployment.settings
    listing = deployment.s3.list_objects(settings.raw_bucket, settings.landing_prefix)
    seen = sum(1 for _ in islice(listing, LOOKED_AT))
    count = f"{seen} objects" if seen < LOOKED_AT else f"{LOOKED_AT} objects or more"
    return f"{count} in s3://{settings.raw_bucket}/{settings.landing_prefix}"


def _read(deployment: Deployment) -> str:
    settings = deployment.settings
    listing = deployment.s3.list_objects(settings.raw_bucket, settings.landing_prefix)
    first = next(listing, None)
    if first is None:
        return "nothing there to read yet; the first sync writes it"
    deployment.s3.read_start(settings.raw_bucket, first.key)
    return f"read the start of {first.key.removeprefix(settings.landing_prefix)}"


def _handover(deployment: Deployment) -> str:
    deployment.state_store.write(PROBE, Probe())
    if deployment.state_store.read(PROBE, Probe) is None:
        raise Fault(f"what was written to {deployment.settings.monitoring_bucket} is not there")
    return f"wrote and read in s3://{deployment.settings.monitoring_bucket}"


_POLICY: Final = (
    "deploy infra/aws/storage.yaml and infra/aws/access.yaml for this environment, and sign in as"
    " the role or user of Dagster (AWS_ACCESS_KEY_ID, or the AWS default chain)"
)

CHECKS: Final[tuple[DeploymentCheck, ...]] = (
    Check("s3 list", _list, _POLICY),
    Check("s3 read", _read, _POLICY, after="s3 list"),
    Check("s3 handover", _handover, _POLICY, after="s3 list"),
)
