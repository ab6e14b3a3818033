"""Days that S3 has and the warehouse lacks, e.g. one that was restored from an older copy.

Not here: files of the last week, which the load itself looks at again.
"""

from collections.abc import Callable, Collection
from datetime import date, timedelta
from typing import Final

from veracitypro_pipeline.stage_values.landing import (
    BLANK_LINE,
    NO_SYNC_ID,
    LandingIndex,
    LandingManifest,
)

# A manifest is read for each, and only if the index has a file that the ledger lacks.
LOOKED_BACK_DAYS: Final = 31


def days_not_loaded(
    index: LandingIndex,
    tonight: LandingManifest,
    day: date,
    in_ledger: Collection[str],
    manifest_of: Callable[[date], LandingManifest | None],
) -> list[date]:
    """Days before that of the run whose whole syncs have a file in the bucket and none in the
    ledger, oldest first.

    What a failed or cancelled sync left in the bucket stands in no manifest and is never loaded.
    """
    of_tonight = {file.key for file in tonight.loadable_files}
    unloaded = {
        key
        for key, file in index.files.items()
        if set(file.sync_ids) - {NO_SYNC_ID, BLANK_LINE}
        and key not in in_ledger
        and key not in of_tonight
    }
    days = []
    for back in range(1, LOOKED_BACK_DAYS + 1):
        if not unloaded:
            break
        manifest = manifest_of(day - timedelta(days=back))
        keys = {file.key for file in manifest.files} if manifest and manifest.is_whole else set()
        if unloaded & keys:
            days.append(day - timedelta(days=back))
            unloaded -= keys
    return days[::-1]
