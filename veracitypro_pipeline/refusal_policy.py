"""How bad it is that rows of a night were refused."""

from typing import Final

import dagster as dg

# Of records, points or lines refused: up to these, single products are at fault, a warning.
# More than both means that the format is, and then nothing of the day goes to the reports. One in
# ten is far above the share of any night so far (none); five spare a handful of products.
REFUSED_SHARE: Final = 0.1
REFUSED_HANDFUL: Final = 5


def refusal_severity(refused: int, of: int) -> dg.AssetCheckSeverity:
    """How bad it is that `refused` of so many were refused."""
    if refused > REFUSED_HANDFUL and refused > REFUSED_SHARE * of:
        return dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckSeverity.WARN
