"""What a night costs, RAW to MART: later ones, ones with much stored, large catalogues."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from tests.bench.harness import Benchmark
from tests.bench.landing import Catalogue, Night, land_night
from tests.bench.warehouse import BenchWarehouse

FIRST_DAY: Final = date(2026, 1, 1)
# What a limited fetch asks for.
LIMITED_DAYS: Final = 90
_OTHER_SEED: Final = 7


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vp-bench-") as name:
        yield Path(name)


def days(products: int, nights: int) -> Benchmark:
    """A catalogue fetched in full, night after night."""
    result = Benchmark(
        "days",
        f"the same {products} products every night: does a later night cost more?",
        baseline=f"nights to {min(3, nights)}",
    )
    # Each figure is the median of three nights: one alone is a single measurement.
    shown = sorted({min(3, nights), *(day for day in (10, 20) if day < nights), nights})
    with _folder() as folder:
        warehouse = BenchWarehouse.make(folder / "home")
        for number in range(1, nights + 1):
            cost = warehouse.night(_night(folder, Catalogue(products), number))
            for last in shown:
                if number > 1 and last - 3 < number <= last:
                    result.variant(f"nights to {last}").costs.append(cost)
                if number == last:
                    result.variant(
                        f"nights to {last}",
                        points=warehouse.count("STG.STG_KEEPA_POINT"),
                        series_changed=warehouse.count("MONITORING._CHANGES_OF_STG_KEEPA_POINT"),
                        mib=warehouse.size_mib,
                    )
    return result


def stored_nights(products: int, factors: tuple[int, ...]) -> Benchmark:
    """One night of a limited fetch on top of 1, 10, 100 stored nights of the same products."""
    result = Benchmark(
        "stored_nights",
        f"a night of {products} products ({LIMITED_DAYS} days each), with more nights stored",
        baseline=f"{factors[0]} stored",
    )
    for factor in factors:
        with _folder() as folder:
            warehouse = BenchWarehouse.make(folder / "home")
            for number in range(1, factor + 1):
                limit = None if number == 1 else LIMITED_DAYS
                warehouse.load(_night(folder, Catalogue(products), number, limit))
            warehouse.build()
            for number in range(factor + 1, factor + 4):
                night = _night(folder, Catalogue(products), number, LIMITED_DAYS)
                result.variant(f"{factor} stored").costs.append(warehouse.night(night))
            result.variant(f"{factor} stored").facts.update(
                raw_rows=warehouse.count("RAW.KEEPA_RAW"),
                series_rows=warehouse.count("STG.STG_KEEPA_SERIES"),
            )
    return result


def stored_products(products: int, factors: tuple[int, ...]) -> Benchmark:
    """One night of a few products in a warehouse that holds many others."""
    result = Benchmark(
        "stored_products",
        f"a night of {products} products, with the history of many others stored",
        baseline=f"{factors[0] * products} products stored",
    )
    for factor in factors:
        with _folder() as folder:
            warehouse = BenchWarehouse.make(folder / "home")
            warehouse.load(_night(folder, Catalogue(products), 1))
            if factor > 1:
                others = Catalogue((factor - 1) * products, _OTHER_SEED)
                warehouse.load(_night(folder, others, 0))
            warehouse.build()
            variant = result.variant(f"{factor * products} products stored")
            for number in range(2, 5):
                night = _night(folder, Catalogue(products), number)
                variant.costs.append(warehouse.night(night))
            variant.facts.update(
                points=warehouse.count("STG.STG_KEEPA_POINT"),
                price_days=warehouse.count("CORE.CORE_KEEPA_PRICE_DAILY"),
            )
    return result


def scale(counts: tuple[int, ...], limited: int) -> Benchmark:
    """The first load of a catalogue, and the night after it."""
    result = Benchmark(
        "scale",
        "the first load of a catalogue, and the night after it",
        baseline=f"{counts[0]} products, first load",
    )
    for products in counts:
        _first_load_and_night(result, products, None)
    _first_load_and_night(result, limited, LIMITED_DAYS)
    return result


def _first_load_and_night(result: Benchmark, products: int, limit: int | None) -> None:
    name = f"{products} products" + (f" of {limit} days" if limit else "")
    with _folder() as folder:
        warehouse = BenchWarehouse.make(folder / "home")
        for number, what in ((1, "first load"), (2, "a night")):
            night = _night(folder, Catalogue(products), number, limit)
            variant = result.variant(f"{name}, {what}")
            variant.costs.append(warehouse.night(night))
            variant.facts.update(
                points=warehouse.count("STG.STG_KEEPA_POINT"),
                json_gz_mib=sum(file.size_bytes for file in night.files) >> 20,
                mib=warehouse.size_mib,
            )


def _night(folder: Path, catalogue: Catalogue, number: int, limit: int | None = None) -> Night:
    day = FIRST_DAY + timedelta(days=number - 1)
    return land_night(folder / "landing", catalogue, day, days=limit)
