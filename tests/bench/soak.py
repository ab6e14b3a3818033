"""Played days with a random fault in every third: MART ends as that of calm days.

The calm days are those of the same syncs: an empty warehouse, and each day loaded and built again
from what S3 holds. So the two may differ by nothing but what the faults did.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import Any, Final

from tests.bench.harness import Benchmark, Cost
from tests.support.home import Home
from tests.support.killing import environment_of
from tests.support.killing.points import OF_DBT, OF_THE_RUN
from veracitypro_pipeline.local.stack.lifecycle import stop_stack

FIRST_DAY: Final = date(2025, 11, 16)


@dataclass
class Soak:
    """A home, and the random choices of its faults.

    `run_seconds` is what the last good run took: a kill comes anywhere in a run.
    """

    home: Home
    random: Random
    run_seconds: float = 0.0

    def run(self, day: date, **environment: str) -> int:
        return self.home.vp("run", "--date", str(day), **environment).returncode

    def good_run(self, day: date) -> bool:
        started = time.perf_counter()
        is_good = self.run(day) == 0
        self.run_seconds = time.perf_counter() - started
        return is_good

    def killed_somewhere(self, day: date) -> None:
        process = self.home.start("run", "--date", str(day))
        try:
            process.communicate(timeout=self.random.uniform(0, self.run_seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def killed_at_a_point(self, day: date) -> None:
        point = self.random.choice(OF_THE_RUN)
        marker = self._fresh(point.marker(self.home.path.parent))
        outcome = self.run(day, **environment_of(self.home.path.parent, point))
        assert (outcome, marker.exists()) == (-SIGKILL, True), point.what

    def dbt_killed(self, day: date) -> None:
        marker = self._fresh(OF_DBT.marker(self.home.path.parent))
        outcome = self.run(day, **environment_of(self.home.path.parent, OF_DBT))
        assert (outcome, marker.exists()) == (0, True), "dbt did not die, or was not tried again"

    def stack_killed(self, day: date) -> None:
        process = self.home.start("run", "--date", str(day))
        time.sleep(self.random.uniform(0, self.run_seconds))
        with suppress(ProcessLookupError):
            os.kill(self.home.state("state.json")["pid"], SIGKILL)
        process.communicate()

    def file_doubled(self, day: date) -> None:
        """That of the day before; then its copy is deleted."""
        newest = self.home.landing_files()[-1]
        copy = newest.with_name(f"copy_of_{newest.name}")
        shutil.copyfile(newest, copy)
        self.run(day)
        copy.unlink()

    def file_away(self, day: date) -> None:
        """That of the day before, during the run of this one."""
        newest = self.home.landing_files()[-1]
        away = self.home.path.parent / newest.name
        shutil.move(newest, away)
        self.run(day)
        shutil.move(away, newest)

    def _fresh(self, marker: Path) -> Path:
        marker.unlink(missing_ok=True)
        return marker

    def marts(self) -> dict[str, Any]:
        return {name: rows for name, rows in self.home.tables().items() if name.startswith("MART.")}


FAULTS: Final[tuple[Callable[[Soak, date], None], ...]] = (
    Soak.killed_somewhere,
    Soak.killed_at_a_point,
    Soak.dbt_killed,
    Soak.stack_killed,
    Soak.file_doubled,
    Soak.file_away,
)


def soak(days: int, seed: int = 1) -> Benchmark:
    """Raises AssertionError if a day is not good in the end, or MART differs."""
    result = Benchmark(
        "soak",
        f"{days} days with a fault in every third, against the same days left alone",
        baseline="calm days",
    )
    faults = Counter[str]()
    with tempfile.TemporaryDirectory(prefix="vp-soak-") as name, _home(Path(name)) as home:
        of_days = Soak(home, Random(seed))  # noqa: S311 - a story to tell, no secret
        drawn = _draw(of_days.random)
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            with measured(result, "days with faults"):
                if number % 3 == 2:
                    fault = next(drawn)
                    faults[fault.__name__] += 1
                    fault(of_days, day)
                assert of_days.good_run(day), f"{day} after {faults}"
        marts = of_days.marts()
        (home.path / "warehouse" / "vp_dwh.duckdb").unlink()
        for number in range(days):
            again = str(FIRST_DAY + timedelta(days=number))
            with measured(result, "calm days"):
                assert home.vp("backfill", "--from", again, "--to", again).returncode == 0, again
        assert marts == of_days.marts()
        rows = sum(count for count, _ in marts.values())
        result.question += ": " + ", ".join(f"{n} {fault}" for fault, n in sorted(faults.items()))
        result.variant("days with faults", days=days, faults=faults.total(), mart_rows=rows)
        result.variant("calm days", days=days, faults=0, mart_rows=rows)
    return result


def _draw(random: Random) -> Iterator[Callable[[Soak, date], None]]:
    """In any order, and each once before one comes again."""
    while True:
        yield from random.sample(FAULTS, len(FAULTS))


@contextmanager
def _home(folder: Path) -> Iterator[Home]:
    home = Home(folder / "home")
    try:
        yield home
    finally:
        stop_stack(home.path)


@contextmanager
def measured(result: Benchmark, variant: str) -> Iterator[None]:
    """What the processes of a day have cost, those that were killed included."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result.variant(variant).costs.append(Cost(time.perf_counter() - started, cpu))
