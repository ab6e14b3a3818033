"""S3: the landing bucket can be listed and read, the monitoring bucket written and read."""

from itertools import islice
from typing import Final

from pydantic import BaseModel

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.sources import STREAMS

# The key of the value that is written and read back. It is not deleted; the next run overwrites it.
WRITTEN_KEY: Final = "doctor/probe"
MOST_LISTED: Final = 1_000


class WrittenValue(BaseModel):
    """The value that is written to prove the right to write."""

    note: str = "written by vp doctor"


def _list(deployment: Deployment) -> str:
    return "; ".join(_listed(deployment, prefix) for prefix in _prefixes(deployment))


def _listed(deployment: Deployment, prefix: str) -> str:
    bucket = deployment.settings.raw_bucket
    listing = deployment.s3.list_objects(bucket, prefix)
    seen = sum(1 for _ in islice(listing, MOST_LISTED))
    count = f"{seen} objects" if seen < MOST_LISTED else f"{MOST_LISTED} objects or more"
    return f"{count} in s3://{bucket}/{prefix}"


def _read(deployment: Deployment) -> str:
    return "; ".join(_read_first(deployment, prefix) for prefix in _prefixes(deployment))


def _read_first(deployment: Deployment, prefix: str) -> str:
    bucket = deployment.settings.raw_bucket
    first = next(deployment.s3.list_objects(bucket, prefix), None)
    if first is None:
        return "no object to read yet; the first sync writes one"
    deployment.s3.read_start(bucket, first.key)
    return f"read the start of {first.key.removeprefix(prefix)}"


def _prefixes(deployment: Deployment) -> list[str]:
    return [stream.prefix(deployment.settings.environment) for stream in STREAMS]


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
