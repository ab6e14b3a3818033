"""RAW to points: our models against a read of the same files, written by hand to be fast."""

import dataclasses
import json
import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from tests.bench.harness import Benchmark, Cost, cost_of, cost_of_process
from tests.bench.landing import Catalogue, Night, land_night
from tests.bench.warehouse import BenchWarehouse
from veracitypro_pipeline.resources.dbt import command as dbt_command
from veracitypro_pipeline.sources.keepa.vocabulary import CHANNELS

DAY: Final = date(2026, 1, 1)
# From RAW to typed points: which record counts, which series it has, who speaks for each minute.
POINTS: Final = "STG.STG_KEEPA_POINT"
MODELS: Final = "+stg_keepa_point"
THREADS: Final = 2
_MIB_OF_A_LINE: Final = 64

# The histories of a product with their types, straight from the files: no checks, no quarantine,
# no other fetch that might be newer.
BY_HAND: Final = """
create or replace table points as
with products as (
    select _airbyte_data as product
    from read_json(
        $files,
        format = 'newline_delimited',
        maximum_object_size = $largest,
        columns = {'_airbyte_data': 'STRUCT(
            asin VARCHAR,
            csv BIGINT[][],
            salesRanks MAP(VARCHAR, BIGINT[]),
            monthlySoldHistory BIGINT[],
            couponHistory BIGINT[],
            buyBoxSellerIdHistory VARCHAR[],
            buyBoxUsedHistory VARCHAR[]
        )'}
    )
),
slots as (
    select product.asin, unnest(range(len(product.csv))) as slot, unnest(product.csv) as numbers
    from products
),
strides as (
    select asin, slot, numbers, if(list_contains($of_three, slot), 3, 2) as stride
    from slots
    where numbers is not null
),
ranks as (
    select product.asin, unnest(map_entries(product.salesRanks)) as entry
    from products
),
minutes as (
    select asin, 'csv' || slot as series, numbers, stride,
        unnest(range(1, len(numbers) + 1, stride)) as begins
    from strides
    union all
    select asin, 'rank' || entry.key, entry.value, 2, unnest(range(1, len(entry.value) + 1, 2))
    from ranks
    union all
    select product.asin, 'sold', product.monthlySoldHistory, 2,
        unnest(range(1, len(product.monthlySoldHistory) + 1, 2))
    from products
    union all
    select product.asin, 'coupon', product.couponHistory, 3,
        unnest(range(1, len(product.couponHistory) + 1, 3))
    from products
),
holders as (
    select product.asin, 'new' as series, product.buyBoxSellerIdHistory as texts,
        unnest(range(1, len(product.buyBoxSellerIdHistory) + 1, 2)) as begins
    from products
    union all
    select product.asin, 'used', product.buyBoxUsedHistory,
        unnest(range(1, len(product.buyBoxUsedHistory) + 1, 4))
    from products
)
select asin, series, numbers[begins] as minute, numbers[begins + 1] as value,
    case when stride = 3 then numbers[begins + 2] end as second_value, null as text
from minutes
union all
select asin, series, cast(texts[begins] as bigint), null, null, texts[begins + 1]
from holders
"""


def explode(products: int, repetitions: int) -> Benchmark:
    """A first load of the catalogue: what the models take, without dbt's own start."""
    result = Benchmark(
        "explode", f"the points of {products} products, from JSON to rows", baseline="by hand"
    )
    points = {}
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as name:
        folder = Path(name)
        night = land_night(folder / "landing", Catalogue(products), DAY)
        warehouse = BenchWarehouse.make(folder / "home")
        warehouse.load(night)
        _dbt(warehouse, "seed")
        shutil.copy(warehouse.settings.warehouse_path, folder / "loaded.duckdb")
        for _ in range(repetitions):
            cost, points["by hand"] = _by_hand(night, folder / "by_hand.duckdb")
            result.variant("by hand").costs.append(cost)
            shutil.copy(folder / "loaded.duckdb", warehouse.settings.warehouse_path)
            result.variant("our models").costs.append(_by_models(warehouse))
            points["our models"] = warehouse.count(POINTS)
    for variant in result.variants:
        variant.facts["points"] = points[variant.name]
        variant.facts["million_a_second"] = round(points[variant.name] / variant.seconds / 1e6, 2)
    return result


def _by_hand(night: Night, database: Path) -> tuple[Cost, int]:
    """Into a file, as ours are: to compress what is kept is a good part of the work."""
    with duckdb.connect(database, config={"threads": THREADS}) as connection:
        values = {
            "files": [str(path) for path in night.paths],
            "largest": _MIB_OF_A_LINE << 20,
            "of_three": [channel.index for channel in CHANNELS if channel.stride == 3],
        }
        cost = cost_of(lambda: connection.execute(BY_HAND, values))
        (points,) = connection.execute("select count(*) from points").fetchone() or (0,)
        return cost, points


def _by_models(warehouse: BenchWarehouse) -> Cost:
    """Seconds of the models alone, as dbt counts them; processors and memory of all of dbt."""
    cost = _dbt(warehouse, "run", "--select", MODELS)
    results = dbt_command.build_folder(warehouse.settings) / "run_results.json"
    nodes = json.loads(results.read_text(encoding="utf-8"))["results"]
    return dataclasses.replace(cost, seconds=sum(node["execution_time"] for node in nodes))


def _dbt(warehouse: BenchWarehouse, *arguments: str) -> Cost:
    settings = warehouse.settings
    return cost_of_process(
        dbt_command.arguments(*arguments),
        dbt_command.environment(settings, dbt_command.build_folder(settings)),
        settings.dbt_project_dir,
    )
