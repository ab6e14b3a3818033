"""Airbyte: sign-in, and the connection, streams, destination, configuration and key of a source."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from veracitypro_pipeline.doctor.deployment import Deployment, DeploymentProbe, settings_probe
from veracitypro_pipeline.doctor.probe import Probe, ProbeError
from veracitypro_pipeline.resources.airbyte.resource import REQUIRED
from veracitypro_pipeline.settings import variable_of
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.connector import CONNECTORS, declared_schema
from veracitypro_pipeline.sources.source import Source, Stream

SHOWN_ASINS: Final = 5
SYNC_MODES: Final = ("full_refresh", "append")
# The only format that the landing stage reads: gzipped lines of JSON.
FORMAT: Final = {"format_type": "JSONL", "compression": {"compression_type": "GZIP"}}


def _sign_in(deployment: Deployment) -> str:
    return f"workspace {deployment.airbyte(SOURCES[0]).workspace().get('name')!r}"


def _connection(source: Source, deployment: Deployment) -> str:
    connection = deployment.connection(source)
    if connection.get("status") != "active":
        raise ProbeError(
            f"the connection {connection.get('name')!r} is {connection.get('status')}",
            "enable it in Airbyte",
        )
    return f"{connection.get('name')!r} is active"


def _streams(source: Source, deployment: Deployment) -> str:
    there = deployment.connection(source).get("syncCatalog", {}).get("streams", [])
    found = {one["stream"]["name"]: one for one in there}
    selected = {name for name, one in found.items() if one["config"].get("selected")}
    wanted = [stream.name for stream in source.streams]
    if selected != set(wanted):
        raise ProbeError(
            f"selected: {', '.join(sorted(selected)) or 'no stream'}; expected"
            f" {', '.join(wanted)} alone"
        )
    for name in wanted:
        config = found[name]["config"]
        modes = (config.get("syncMode"), config.get("destinationSyncMode"))
        if modes != SYNC_MODES:
            raise ProbeError(
                f"{name} is synced as {' + '.join(map(str, modes))}",
                f"set it to {' + '.join(SYNC_MODES)} in the connection's schema tab",
            )
    return f"{', '.join(wanted)}, {' + '.join(SYNC_MODES)}"


def _schema(source: Source, deployment: Deployment) -> str:
    streams = deployment.connection(source)["syncCatalog"]["streams"]
    schemas = {one["stream"]["name"]: one["stream"].get("jsonSchema", {}) for one in streams}
    fields = {stream: _declared(source, stream) for stream in source.streams}
    missing = {
        name
        for stream, declared in fields.items()
        for name in declared - set(schemas[stream.name].get("properties", {}))
    }
    if missing:
        raise ProbeError(
            f"Airbyte drops the fields {', '.join(sorted(missing))}, which its schema lacks"
        )
    return f"{sum(map(len, fields.values()))} fields"


def _declared(source: Source, stream: Stream) -> set[str]:
    return set(declared_schema(CONNECTORS / source.manifest, stream)["properties"])


def _configuration(source: Source, deployment: Deployment) -> str:
    source_id = str(deployment.connection(source)["sourceId"])
    there = deployment.airbyte(source).source(source_id).get("configuration", {})
    expected = source.configuration(deployment.tracked)
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


def _destination(source: Source, deployment: Deployment) -> str:
    settings = deployment.settings
    destination_id = str(deployment.connection(source)["destinationId"])
    destination = deployment.airbyte(source).destination(destination_id)
    if destination.get("destinationType") != "s3":
        raise ProbeError(
            f"the connection writes to {destination.get('destinationType')}, not to S3"
        )
    there = destination.get("configuration", {})
    (stream,) = source.streams
    prefix = stream.prefix(settings.environment).strip("/")
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


def _key(source: Source, deployment: Deployment) -> str:
    source_id = str(deployment.connection(source)["sourceId"])
    fault = deployment.airbyte(source).source_fault(source_id)
    if fault is not None:
        raise ProbeError(f"Airbyte cannot read {source.title}: {fault}")
    return "Airbyte's own check of the source succeeded"


def _probes_of(source: Source) -> tuple[DeploymentProbe, ...]:
    """The probes of a source's connection."""
    # Told apart only where there are several.
    of = f" of {source.name}" if len(SOURCES) > 1 else ""
    connection = f"airbyte connection{of}"
    streams = ", ".join(stream.name for stream in source.streams)
    return (
        Probe(
            connection,
            partial(_connection, source),
            "make the connection as infra/airbyte/README.md says, and set"
            f" {variable_of(source.connection)} to the UUID in its address",
            after="airbyte sign-in",
        ),
        Probe(
            f"airbyte stream{of}",
            partial(_streams, source),
            f"select {streams}, and no other, in the connection's schema tab",
            after=connection,
        ),
        Probe(
            f"airbyte schema{of}",
            partial(_schema, source),
            f"publish {source.manifest} in Airbyte's Connector Builder, then refresh the"
            " connection's source schema",
            after=f"airbyte stream{of}",
        ),
        Probe(
            f"airbyte source{of}",
            partial(_configuration, source),
            "set the source to what `python -m veracitypro_pipeline.sources.connector"
            f" {source.name}` prints (on a laptop: `vp run` without --products)",
            after=connection,
        ),
        Probe(
            f"airbyte destination{of}",
            partial(_destination, source),
            "set the S3 destination as infra/airbyte/README.md says",
            after=connection,
        ),
        Probe(
            f"{source.name} key",
            partial(_key, source),
            f"set a valid {source.title} API key in the Airbyte source, the only place that"
            " holds it",
            after=connection,
        ),
    )


PROBES: Final[tuple[DeploymentProbe, ...]] = (
    settings_probe(
        "airbyte",
        (REQUIRED[0], *(source.connection for source in SOURCES), *REQUIRED[1:]),
    ),
    Probe(
        "airbyte sign-in",
        _sign_in,
        "make an application in Airbyte (Settings, Applications) whose owner sees the workspace,"
        " and set AIRBYTE_CLIENT_ID, AIRBYTE_CLIENT_SECRET and AIRBYTE_WORKSPACE_ID",
        after="airbyte settings",
    ),
    *(probe for source in SOURCES for probe in _probes_of(source)),
)
