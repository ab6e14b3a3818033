"""`python -m tests.bench [NAME ...]`: measure, print tables, write JSON and pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from tests.bench import (
    dbt_runner,
    explode,
    nights,
    orchestration,
    pages,
    soak,
    starting,
    statements,
    tokens,
)
from tests.bench.harness import Benchmark, machine, show, write
from veracitypro_pipeline.home import make_home

FULL: Final = "full"
TINY: Final = "tiny"
# Each benchmark in the size whose figures the README gives, and in one that proves that it runs.
BENCHMARKS: Final[dict[str, dict[str, Callable[[], Benchmark]]]] = {
    "orchestration": {
        FULL: lambda: orchestration.orchestration(repetitions=3),
        TINY: lambda: orchestration.orchestration(repetitions=1),
    },
    "dbt_runner": {
        FULL: lambda: dbt_runner.dbt_runner(repetitions=3),
        TINY: lambda: dbt_runner.dbt_runner(repetitions=1),
    },
    "load": {
        FULL: lambda: starting.load(repetitions=5),
        TINY: lambda: starting.load(1, libraries=("dagster",)),
    },
    "startup": {
        FULL: lambda: starting.startup(repetitions=7, with_run=True),
        TINY: lambda: starting.startup(repetitions=1, with_run=False),
    },
    "explode": {
        FULL: lambda: explode.explode(products=500, repetitions=3),
        TINY: lambda: explode.explode(products=1, repetitions=1),
    },
    "statements": {
        FULL: lambda: statements.statements(products=5),
        TINY: lambda: statements.statements(products=1),
    },
    "tokens": {
        FULL: lambda: tokens.tokens(products=250),
        TINY: lambda: tokens.tokens(products=3),
    },
    "days": {
        FULL: lambda: nights.days(products=200, nights=30),
        TINY: lambda: nights.days(products=1, nights=2),
    },
    "stored_nights": {
        FULL: lambda: nights.stored_nights(20, (1, 10, 100)),
        TINY: lambda: nights.stored_nights(1, (1,)),
    },
    "stored_products": {
        FULL: lambda: nights.stored_products(20, (1, 10, 100)),
        TINY: lambda: nights.stored_products(1, (1,)),
    },
    "scale": {
        FULL: lambda: nights.scale((100, 500, 1000, 2000), limited=20_000),
        TINY: lambda: nights.scale((1,), limited=1),
    },
    "dashboard": {
        FULL: lambda: pages.dashboard(nights=30, repetitions=5),
        TINY: lambda: pages.dashboard(nights=1, repetitions=1),
    },
    "soak": {
        FULL: lambda: soak.soak(60),
        TINY: lambda: soak.soak(3),
    },
}

OUT = Path(".vp/bench")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--size", type=click.Choice([FULL, TINY]), default=FULL, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def bench(names: tuple[str, ...], size: str, out: Path) -> None:
    """Run benchmarks, all of them unless some are named."""
    if out == OUT:
        make_home(out.parent)
    click.echo(machine())
    results = []
    for name in names or BENCHMARKS:
        results.append(BENCHMARKS[name][size]())
        show(results[-1])
    for path in write(results, size, out):
        click.echo(path)


if __name__ == "__main__":
    bench()
