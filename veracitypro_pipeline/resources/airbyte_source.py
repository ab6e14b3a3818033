"""The Airbyte source as this repository declares it: connector manifest, schema, configuration.

What is tracked stands in the dbt seed `tracked_products`; the configuration is made from it. As a
script it prints the configuration to set in Airbyte, without the API key.

Not here: talking to Airbyte (`airbyte/client.py`).
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from veracitypro_pipeline.settings import REPOSITORY_DIR, Settings

STREAM: Final = "product_raw"
MANIFEST: Final = REPOSITORY_DIR / "infra" / "airbyte" / "source_keepa.yaml"
# Ratings and the buy box cost tokens; the models read both.
OPTIONS: Final = {"rating": True, "buybox": True}


class SourceError(RuntimeError):
    """The manifest or the tracked products cannot be read. One sentence with the next step."""


def declared_schema(manifest: Path = MANIFEST) -> dict[str, Any]:
    """The JSON schema that the manifest declares for the stream.

    Raises:
        SourceError: the manifest is missing, no YAML, or does not declare the stream inline.
    """
    try:
        document = yaml.safe_load(manifest.read_text(encoding="utf-8"))
        streams = [_resolved(document, stream) for stream in document["streams"]]
        stream = next(stream for stream in streams if stream["name"] == STREAM)
        loader = _resolved(document, stream["schema_loader"])
        schema = _resolved(document, loader["schema"])
        return {**schema, "properties": _resolved(document, schema["properties"])}
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise SourceError(
            f"The connector manifest {manifest} declares no inline schema of the stream {STREAM}"
            f" ({type(error).__name__}: {error}): correct the file."
        ) from error


def tracked_products_file(settings: Settings) -> Path:
    """The dbt seed that says which products are tracked."""
    return settings.dbt_project_dir / "seeds" / "tracked_products.csv"


def tracked_asins(path: Path) -> dict[int, list[str]]:
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


def source_configuration(tracked: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    """The source's configuration, as the manifest's spec asks, for these ASINs by domain id.

    All but the API key, which Airbyte alone holds.
    """
    marketplaces = [
        {"domain_id": domain_id, "asins": list(asins)} for domain_id, asins in tracked.items()
    ]
    return {"marketplaces": marketplaces, **OPTIONS}


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


if __name__ == "__main__":
    of_seed = source_configuration(tracked_asins(tracked_products_file(Settings.load())))
    json.dump(of_seed, sys.stdout, indent=1)
