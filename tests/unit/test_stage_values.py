"""Stage values written by another version of the code."""

import json
from datetime import UTC, date, datetime

import pytest
from pydantic import BaseModel

from veracitypro_pipeline.stage_values.landing import LandingIndex, LandingManifest
from veracitypro_pipeline.stage_values.sync import SyncClaim, SyncReport

DAY = date(2026, 1, 31)
VALUES = [
    SyncClaim(as_of_date=DAY, job_id=1, run_id="run"),
    SyncReport(
        as_of_date=DAY,
        job_id=1,
        started_at=datetime(2026, 2, 1, 0, 10, tzinfo=UTC),
        records=1,
        size_bytes=1,
        seconds=1,
    ),
    LandingManifest(as_of_date=DAY, job_id=1, records_reported=0, files=()),
    LandingIndex(),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_field_of_a_newer_version_is_ignored(value: BaseModel) -> None:
    """After a rollback, the older version reads what the newer one wrote."""
    newer = json.dumps({**value.model_dump(mode="json"), "added_later": {"a": [1]}})
    assert type(value).model_validate_json(newer) == value
