"""Measuring: variants of a benchmark, the resources of a process, and what is shown of them."""

import json
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_KIB: Final = 1024
_SHOWN_OUTPUT: Final = 3000
_TABLE_WIDTH: Final = 132


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds on the clock, seconds of processors (children included), MiB at most.

    Nought is what was not measured.
    """

    seconds: float
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0


@dataclass
class Variant:
    """One way to do the work, with what each repetition cost and facts about the work."""

    name: str
    costs: list[Cost] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return median(cost.seconds for cost in self.costs)

    @property
    def cpu_seconds(self) -> float:
        return median(cost.cpu_seconds for cost in self.costs)

    @property
    def peak_mib(self) -> float:
        return max(cost.peak_mib for cost in self.costs)


@dataclass
class Benchmark:
    """A question, the variants that answer it, and the one that the others are held against."""

    name: str
    question: str
    baseline: str
    variants: list[Variant] = field(default_factory=list)

    def variant(self, name: str, **facts: Any) -> Variant:
        """The variant of this name, made if there is none."""
        for variant in self.variants:
            if variant.name == name:
                variant.facts.update(facts)
                return variant
        self.variants.append(Variant(name, facts=facts))
        return self.variants[-1]

    def ratio(self, variant: Variant) -> float:
        """Seconds in parts of the baseline's."""
        return variant.seconds / self.variant(self.baseline).seconds

    def cpu_ratio(self, variant: Variant) -> float:
        """Processor seconds in parts of the baseline's; nought if those were not measured."""
        of_baseline = self.variant(self.baseline).cpu_seconds
        return variant.cpu_seconds / of_baseline if of_baseline else 0.0

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "question": self.question,
            "baseline": self.baseline,
            "variants": [
                {
                    "name": variant.name,
                    "repetitions": len(variant.costs),
                    "seconds": round(variant.seconds, 3),
                    "cpu_seconds": round(variant.cpu_seconds, 3),
                    "ratio": round(self.ratio(variant), 3),
                    "cpu_ratio": round(self.cpu_ratio(variant), 3),
                    "peak_mib": round(variant.peak_mib),
                    **variant.facts,
                }
                for variant in self.variants
            ],
        }


def cost_of_process(
    command: Sequence[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Cost:
    """Run a command to its end. Raises RuntimeError with the end of its output if it fails.

    The peak is that of the largest single process, as the system counts it.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=None if environment is None else dict(environment),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{output.decode()[-_SHOWN_OUTPUT:]}")
    return Cost(
        time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _KIB
    )


def cost_of(work: Callable[[], object]) -> Cost:
    """Do the work in this process."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return Cost(
        seconds,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        after.ru_maxrss / _KIB,
    )


def machine() -> str:
    """What the figures were measured on, without a name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _KIB**3
    return (
        f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores,"
        f" {memory:.0f} GiB, Python {platform.python_version()}"
    )


def show(benchmark: Benchmark) -> None:
    facts = list(dict.fromkeys(name for variant in benchmark.variants for name in variant.facts))
    title = f"{benchmark.name}: {benchmark.question}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("variant", no_wrap=True)
    for name in ("seconds", "ratio", "cpu s", "cpu ratio", "peak MiB", *facts):
        table.add_column(name, justify="right", no_wrap=True)
    for variant in benchmark.variants:
        table.add_row(
            variant.name,
            f"{variant.seconds:.2f}",
            f"{benchmark.ratio(variant):.2f}",
            f"{variant.cpu_seconds:.2f}" if variant.cpu_seconds else "",
            f"{benchmark.cpu_ratio(variant):.2f}" if variant.cpu_seconds else "",
            f"{variant.peak_mib:.0f}" if variant.peak_mib else "",
            *(_shown(variant.facts.get(name, "")) for name in facts),
        )
    Console(width=_TABLE_WIDTH).print(table)


def _shown(fact: object) -> str:
    if isinstance(fact, int):
        return f"{fact:,}"
    return f"{fact:,.1f}" if isinstance(fact, float) else str(fact)


def write(benchmarks: Sequence[Benchmark], size: str, folder: Path) -> list[Path]:
    """`bench.json` and a picture per benchmark; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": machine(),
        "size": size,
        "benchmarks": [benchmark.document() for benchmark in benchmarks],
    }
    results = folder / "bench.json"
    results.write_text(json.dumps(document, indent=1) + "\n")
    return [results, *(_picture(benchmark, folder) for benchmark in benchmarks)]


def _picture(benchmark: Benchmark, folder: Path) -> Path:
    """Seconds per variant as bars, with the ratio at each."""
    from matplotlib.figure import Figure

    names = [variant.name for variant in benchmark.variants]
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [variant.seconds for variant in benchmark.variants], color="#2f6f8f")
    labels = [
        f"{variant.seconds:.1f} s  ({benchmark.ratio(variant):.2f})"
        for variant in benchmark.variants
    ]
    axes.bar_label(bars, labels, padding=4)
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds (ratio to {benchmark.baseline})")
    axes.set_title(benchmark.question, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / f"{benchmark.name}.svg"
    figure.savefig(path)
    return path
