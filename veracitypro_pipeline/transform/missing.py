"""What came on earlier nights and does not come any more: histories, attributes, offers.

The SQL is the source's (`Refusals.missing`): each name that some products lack and had earlier,
with `had_it` and `lack_it`, the numbers of products, `unsaid`, those of which the answer does not
say that there is none, and some products.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from dagster import AssetCheckSeverity

from veracitypro_pipeline.refusal_policy import refusal_severity
from veracitypro_pipeline.sources.source import ANY, NAMED_PRODUCTS


class Missing(NamedTuple):
    """What some products of a night lack that they had.

    `lack_it` of `had_it` products have none now; the answers of `unsaid` of these do not say that
    there is none. `asins` are some of them.
    """

    what: str
    had_it: int
    lack_it: int
    unsaid: int
    asins: tuple[str, ...]

    @property
    def is_grave(self) -> bool:
        """More than single products are at fault."""
        return refusal_severity(self.lack_it, self.had_it) is AssetCheckSeverity.ERROR

    @property
    def is_odd(self) -> bool:
        return self.is_grave or self.unsaid > 0

    def __str__(self) -> str:
        count = self.lack_it if self.is_grave else self.unsaid
        it = "any" if self.what == ANY else "it"
        return (
            f"{count} of {self.had_it} products that had {self.what} came without {it}:"
            f" {named(self.asins[:count], count)}"
        )


def missing_of(rows: Iterable[Mapping[str, Any]]) -> list[Missing]:
    """What is missing to be told; `rows` are those of `Refusals.missing`."""
    found = [
        Missing(what, int(had), int(lack), int(unsaid), tuple(row["asin"] for row in of))
        for (what, had, lack, unsaid), of in groupby(
            rows, key=itemgetter("what", "had_it", "lack_it", "unsaid")
        )
    ]
    return [one for one in found if one.is_odd]


def named(asins: Sequence[str], count: int) -> str:
    """Some of so many products, in words."""
    some = asins[:NAMED_PRODUCTS]
    more = f" and {count - len(some)} more" if count > len(some) else ""
    return ", ".join(some) + more
