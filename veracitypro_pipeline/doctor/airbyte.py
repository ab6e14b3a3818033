"""Airbyte: sign-in, connection, stream, source, destination, and the Keepa key of the source."""

from collections.abc import Mapping
from typing import Any, Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe, settings_probe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.resources.airbyte.resource import REQUIRED
from veracitypro_pipeline.resources.airbyte_source import (
    MANIFEST,
    STREAM,
    declared_schema,
    source_configuration,
)

SHOWN_ASINS: Final = 5
# Each answer of Keepa repeats the whole history (infra/airbyte/README.md).
SYNC_MODES: Final = ("full_refresh", "append")
# The only format that the landing stage reads: gzipped lines of JSON.
FORMAT: Final = {"format_type": "JSONL", "compression": {"compression_type": "GZIP"}}


def _sign_in(deployment: Deployment) -> str:
    return f"workspace {deployment.airbyte.workspace().get('name')!r}"


def _connection(deployment: Deployment) -> str:
    connection = deployment.connection
    if connection.get("status") != "active":
        raise ProbeError(
            f"the connection {connection.get('name')!r} is {connection.get('status')}",
            "enable it in Airbyte",
        )
    return f"{connection.get('name')!r} is active"


def _stream(deployment: Deployment) -> str:
    streams = deployment.connection.get("syncCatalog", {}).get("streams", [])
    found = {one["stream"]["name"]: one for one in streams}
    selected = [name for name, one in found.items() if one["config"].get("selected")]
    if selected != [STREAM]:
        raise ProbeError(f"selected: {', '.join(selected) or 'no stream'}; expected {STREAM} alone")
    config = found[STREAM]["config"]
    modes = (config.get("syncMode"), config.get("destinationSyncMode"))
    if modes != SYNC_MODES:
        raise ProbeError(
            f"{STREAM} is synced as {' + '.join(map(str, modes))}",
            f"set it to {' + '.join(SYNC_MODES)} in the connection's schema tab",
        )
    return f"{STREAM}, {' + '.join(SYNC_MODES)}"


def _schema(deployment: Deployment) -> str:
    streams = deployment.connection["syncCatalog"]["streams"]
    stream = next(one["stream"] for one in streams if one["stream"]["name"] == STREAM)
    there = set(stream.get("jsonSchema", {}).get("properties", {}))
    declared = set(declared_schema()["properties"])
    if missing := sorted(declared - there):
        raise ProbeError(f"Airbyte drops the fields {', '.join(missing)}, which its schema lacks")
    return f"{len(declared)} fields"


def _source(deployment: Deployment) -> str:
    source = deployment.airbyte.source(str(deployment.connection["sourceId"]))
    there = source.get("configuration", {})
    expected = source_configuration(deployment.tracked)
    differing = [name for name, value in expected.items() if name != "marketplaces"]
    differing = [name for name in differing if there.get(name) != expected[name]]
    if differing:
        raise ProbeError(f"the source's {', '.join(differing)} is not as the models need it")
    wanted, fetched = _products(expected), _products(there)
    if wanted != fetched:
        raise ProbeError(
            f"tracked_products has {_some(wanted - fetched)} that the source lacks, and lacks"
            f" {_some(fetched - wanted)} that it has"
        )
    return f"{len(wanted)} tracked products"


def _products(configuration: Mapping[str, Any]) -> set[str]:
    return {
        f"{marketplace['domain_id']}:{asin}"
        for marketplace in configuration.get("marketplaces", [])
        for asin in marketplace["asins"]
    }


def _some(products: set[str]) -> str:
    shown = ", ".join(sorted(products)[:SHOWN_ASINS]) or "none"
    return shown if len(products) <= SHOWN_ASINS else f"{shown} and {len(products)} in all"


def _destination(deployment: Deployment) -> str:
    settings = deployment.settings
    destination = deployment.airbyte.destination(str(deployment.connection["destinationId"]))
    if destination.get("destinationType") != "s3":
        raise ProbeError(
            f"the connection writes to {destination.get('destinationType')}, not to S3"
        )
    there = destination.get("configuration", {})
    prefix = settings.landing_prefix.strip("/")
    expected = {
        "s3_bucket_name": settings.raw_bucket,
        "s3_bucket_path": prefix,
        "s3_bucket_region": settings.aws_region,
    }
    wrong = [
        f"{name} is {there.get(name)!r}, expected {value!r}"
        for name, value in expected.items()
        if str(there.get(name)).strip("/") != value
    ]
    form = there.get("format", {})
    written = {"format_type": form.get("format_type"), "compression": form.get("compression")}
    if written["format_type"] != FORMAT["format_type"]:
        wrong.append(f"the format is {written['format_type']}, expected JSONL")
    elif written["compression"] != FORMAT["compression"]:
        compression = (form.get("compression") or {}).get("compression_type")
        wrong.append(f"the compression is {compression}, expected GZIP")
    if wrong:
        raise ProbeError("; ".join(wrong))
    return f"JSONL, GZIP, s3://{settings.raw_bucket}/{prefix}/"


def _keepa_key(deployment: Deployment) -> str:
    fault = deployment.airbyte.source_fault(str(deployment.connection["sourceId"]))
    if fault is not None:
        raise ProbeError(f"Airbyte cannot read Keepa: {fault}")
    return "Airbyte's own check of the source succeeded"


PROBES: Final[tuple[DeploymentProbe, ...]] = (
    settings_probe("airbyte", REQUIRED),
    Probe(
        "airbyte sign-in",
        _sign_in,
        "make an application in Airbyte (Settings, Applications) whose owner sees the workspace,"
        " and set AIRBYTE_CLIENT_ID, AIRBYTE_CLIENT_SECRET and AIRBYTE_WORKSPACE_ID",
        after="airbyte settings",
    ),
    Probe(
        "airbyte connection",
        _connection,
        "make the connection as described in infra/airbyte/README.md, and set"
        " AIRBYTE_CONNECTION_ID to the UUID in its address",
        after="airbyte sign-in",
    ),
    Probe(
        "airbyte stream",
        _stream,
        f"select {STREAM}, and no other, in the connection's schema tab",
        after="airbyte connection",
    ),
    Probe(
        "airbyte schema",
        _schema,
        f"publish {MANIFEST.name} in Airbyte's Connector Builder, then refresh the connection's"
        " source schema",
        after="airbyte stream",
    ),
    Probe(
        "airbyte source",
        _source,
        "set the source to what `python -m veracitypro_pipeline.resources.airbyte_source` prints"
        " (on a laptop: `vp run` without --products)",
        after="airbyte connection",
    ),
    Probe(
        "airbyte destination",
        _destination,
        "set the S3 destination as described in infra/airbyte/README.md",
        after="airbyte connection",
    ),
    Probe(
        "keepa key",
        _keepa_key,
        "set a valid Keepa API key in the Airbyte source, the only place that holds it",
        after="airbyte connection",
    ),
)
