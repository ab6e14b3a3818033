"""Landing files as the nightly sync leaves them, made at once from the generated catalogue."""

import gzip
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import md5
from pathlib import Path
from typing import Final, NamedTuple

from veracitypro_pipeline.local.sources.keepa.catalogue import DEFAULT_SEED, CatalogueSource
from veracitypro_pipeline.local.sources.keepa.product_request import ProductRequest
from veracitypro_pipeline.stage_values.landing import LandedFile

# Products per file, some 15 MB compressed; Airbyte's destination cuts at 200 MB.
FILE_PRODUCTS: Final = 500
_DOMAIN_ID: Final = 1


@dataclass(frozen=True)
class Catalogue:
    """So many invented products on amazon.com, the same for the same seed."""

    products: int
    seed: int = DEFAULT_SEED

    def source(self) -> CatalogueSource:
        return CatalogueSource([], self.seed, self.products)


class Night(NamedTuple):
    """The files of one as-of day, and where they lie."""

    as_of_date: date
    files: list[LandedFile]
    paths: list[Path]


def land_night(
    folder: Path, catalogue: Catalogue, as_of_date: date, *, days: int | None = None
) -> Night:
    """Fetch the whole catalogue, as the night after the day does; `days` limits histories."""
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-catalogue.products // FILE_PRODUCTS)
    parts = [_Part(folder, catalogue, as_of_date, days, number) for number in range(count)]
    with ProcessPoolExecutor() as pool:
        files = list(pool.map(_land, parts))
    return Night(as_of_date, files, [part.path for part in parts])


class _Part(NamedTuple):
    folder: Path
    catalogue: Catalogue
    as_of_date: date
    days: int | None
    number: int

    @property
    def path(self) -> Path:
        name = f"{self.as_of_date}_{self.catalogue.seed}_{self.number}.jsonl.gz"
        return self.folder / name


def _land(part: _Part) -> LandedFile:
    read_at = datetime.combine(part.as_of_date + timedelta(days=1), time(0, 10), UTC)
    asins = part.catalogue.source().tracked()[_DOMAIN_ID]
    asins = asins[part.number * FILE_PRODUCTS : (part.number + 1) * FILE_PRODUCTS]
    source = part.catalogue.source()
    parameters = {"domain": str(_DOMAIN_ID), "rating": "1", "buybox": "1"}
    if part.days is not None:
        parameters["days"] = str(part.days)
    with gzip.open(part.path, "wt", encoding="utf-8", compresslevel=1) as file:
        for number, asin in enumerate(asins):
            request = ProductRequest.parse({**parameters, "asin": asin}, read_at)
            product = source.product(_DOMAIN_ID, asin, read_at)
            assert product is not None
            record = {
                "_airbyte_raw_id": f"{part.path.name}:{number}",
                "_airbyte_extracted_at": int(read_at.timestamp() * 1000),
                "_airbyte_data": request.select(product, read_at),
            }
            file.write(json.dumps(record, separators=(",", ":")) + "\n")
    content = part.path.read_bytes()
    etag = md5(content, usedforsecurity=False).hexdigest()
    return LandedFile(
        key=part.path.name, etag=etag, size_bytes=len(content), lines=len(asins), sync_ids={}
    )
