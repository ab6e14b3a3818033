"""Each known trap of Keepa's data is named by a test that would catch it.

dbt's unit tests name theirs in `config.meta.traps`, beside the model; tests of builds by a mark.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.support.warehouse.building import Project

TRAPS: Final = {
    1: "pairs read where there are triples",
    2: "a marker taken for a number: none, unknown and not asked are three things",
    3: "only days with a change",
    4: "means that time does not weigh; Keepa's own statistics as a measure",
    5: "days of a local time zone",
    6: "the same history comes with every fetch",
    7: "points that Keepa takes back",
    8: "a series that a newer fetch lacks, or gives in part",
    9: "answers of one lastUpdate that differ",
    10: "watermarks on event time",
    11: "an unknown ASIN as a deletion",
    12: "no csv, no series, no value and a short csv as one thing",
    13: "yen with cents; one ASIN on two marketplaces",
    14: "ranks of different categories compared",
    15: "the badge of monthly sales added up",
    16: "any of several points of a minute or a day, in place of the last",
    17: "markers as sellers of the buy box; shares that end at midnight",
    18: "rating and count joined by minute",
    19: "old offers as current ones, and prices beyond the last sighting",
    20: "series that Keepa has redefined",
    21: "the faults of the Python client",
    22: "numbers in place of ids: lost zeros, 32 bits",
}
TESTS: Final = Path(__file__).parent


def test_every_trap_is_named_by_a_test(project: Project) -> None:
    named = defaultdict[int, set[str]](set)
    for unit_test in project.manifest.unit_tests.values():
        for trap in unit_test.config.meta.get("traps", []):
            named[trap].add(unit_test.name)
    for file in TESTS.glob("test_*.py"):
        for numbers, name in re.findall(
            r"@pytest\.mark\.traps\(([\d, ]+)\)\n(?:@.*\n)*def (\w+)", file.read_text()
        ):
            for trap in numbers.split(","):
                named[int(trap)].add(name)
    assert named.keys() == TRAPS.keys()
