"""The connectors as this repository declares them: manifests, schemas, configurations.

What is tracked stands in the dbt seed `tracked_products`; the configurations are made from it. As a
script it prints the configuration of a source to set in Airbyte, without its secrets.

Not here: talking to Airbyte (`resources/airbyte/client.py`).
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings
from veracitypro_pipeline.sources import SOURCES
from veracitypro_pipeline.sources.source import Stream, Tracked

# The folder of the manifests.
CONNECTORS: Final = REPOSITORY_DIR / "infra" / "airbyte"


class SourceError(RuntimeError):
    """The manifest or the tracked products cannot be read. One sentence with the next step."""


def declared_schema(manifest: Path, stream: Stream) -> dict[str, Any]:
    """The JSON schema that the manifest declares for the stream.

    Raises:
        SourceError: the manifest is missing, no YAML, or does not declare the stream inline.
    """
    try:
        document = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        streams = [_resolved(document, one) for one in document["streams"]]
        declared = next(one for one in streams if one["name"] == stream.name)
        loader = _resolved(document, declared["schema_loader"])
        schema = _resolved(document, loader["schema"])
        return {**schema, "properties": _resolved(document, schema["properties"])}
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise SourceError(
            f"The connector manifest {manifest} declares no inline schema of the stream"
            f" {stream.name} ({type(error).__name__}: {error}): correct the file."
        ) from error


def tracked_products_file(settings: Settings) -> Path:
    """The dbt seed that says which products are tracked."""
    return settings.dbt_project_dir / "seeds" / "tracked_products.csv"


def tracked_asins(path: Path) -> Tracked:
    """The tracked ASINs of each domain id, in the order of the seed.

    Raises:
        SourceError: the file is missing or no such seed.
    """
    tracked: dict[int, list[str]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                tracked.setdefault(int(row["domain_id"]), []).append(row["asin"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"The tracked products cannot be read from {path} ({type(error).__name__}: {error}):"
            " expected a CSV file with domain_id and asin."
        ) from error
    return tracked


def _resolved(document: Any, value: Any) -> Any:
    """Follow `$ref: "#/a/b"`, alone or with other keys beside it, which then win."""
    if not isinstance(value, dict | str):
        return value
    reference = value.get("$ref") if isinstance(value, dict) else value
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return value
    target = document
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    target = _resolved(document, target)
    own = {k: v for k, v in value.items() if k != "$ref"} if isinstance(value, dict) else {}
    return {**target, **own}


def main(name: str) -> None:
    """Print the configuration of the source with this name."""
    (source,) = [source for source in SOURCES if source.name == name]
    tracked = tracked_asins(tracked_products_file(Settings.load()))
    json.dump(source.configuration(tracked), sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
