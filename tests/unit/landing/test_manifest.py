"""From listed files to the files of one sync, for arrivals in any order."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from veracitypro_pipeline.landing.manifest import (
    landed_file,
    manifest_of,
    surplus,
    surplus_lines,
    sync_id_of,
)
from veracitypro_pipeline.stage_values.landing import (
    NO_SYNC_ID,
    LandedFile,
    LandingIndex,
)
from veracitypro_pipeline.stage_values.sync import SyncReport

ARRIVED_AT = datetime(2026, 2, 1, tzinfo=UTC)


def a_report(job_id: int, records: int = 0) -> SyncReport:
    return SyncReport(
        as_of_date=date(2026, 1, 1),
        job_id=job_id,
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        records=records,
        size_bytes=0,
        seconds=1,
    )


def test_the_sync_id_is_read_from_the_envelope_quoted_or_not() -> None:
    assert sync_id_of(b'{"_airbyte_meta":{"sync_id":7,"changes":[]}}') == "7"
    assert sync_id_of(b'{"_airbyte_meta": {"sync_id" : "7"}}') == "7"


def test_a_title_cannot_pretend_to_be_an_envelope() -> None:
    line = (
        b'{"_airbyte_meta":{"sync_id":7},"_airbyte_data":{"title":"\\"sync_id\\":9","sync_id":8}}'
    )
    assert sync_id_of(line) == "7"


def test_a_line_that_lost_its_beginning_has_no_sync_or_its_own() -> None:
    assert sync_id_of(b"") == NO_SYNC_ID
    assert sync_id_of(b"\xff\xfe not json") == NO_SYNC_ID


def test_a_blank_line_is_no_record_on_any_engine() -> None:
    """DuckDB reads one as a line, Snowflake's COPY may refuse it: the night ends before either."""
    lines = [b'{"sync_id":7,"_airbyte_raw_id":"a"}', b"", b" "]
    file = landed_file("key", "etag", 1, lines, ARRIVED_AT)
    manifest = manifest_of(a_report(7, 3), LandingIndex(files={"key": file}))
    assert (manifest.lines, manifest.records) == (3, 2)
    assert not manifest.is_whole
    assert surplus_lines(manifest) == ["1 lines are blank"]
    only_blank = landed_file("other", "etag", 1, [b""], ARRIVED_AT)
    assert surplus(manifest, LandingIndex(files={"other": only_blank}))[1] == ("other",)


def test_damage_is_kept_with_the_lines_before_it() -> None:
    def cut() -> object:
        yield b'{"sync_id":1}'
        raise EOFError("cut")

    file = landed_file("a", "e", 3, cut(), ARRIVED_AT)  # type: ignore[arg-type]
    assert (file.lines, file.damage) == (1, "EOFError: cut")


files = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.dictionaries(
        st.sampled_from(["1", "2", NO_SYNC_ID]), st.integers(1, 9), min_size=0, max_size=3
    ),
    max_size=8,
)


@given(files)
def test_every_line_of_the_bucket_is_in_the_manifest_of_its_sync_or_named_as_surplus(
    sync_ids_by_key: dict[str, dict[str, int]],
) -> None:
    index = LandingIndex(
        files={
            key: LandedFile(key=key, etag="e", size_bytes=1, lines=sum(ids.values()), sync_ids=ids)
            for key, ids in sync_ids_by_key.items()
        }
    )
    manifests = [manifest_of(a_report(job), index) for job in (1, 2)]
    listed = {file.key for manifest in manifests for file in manifest.files}
    _, unowned = surplus(manifests[0], index)

    assert listed | set(unowned) == set(sync_ids_by_key)
    assert not listed & set(unowned)
    for manifest in manifests:
        others, _ = surplus(manifest, index)
        own = sum(file.sync_ids[str(manifest.job_id)] for file in manifest.files)
        assert manifest.lines == own + sum(others.values())
