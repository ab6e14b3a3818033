"""Files that come late, twice, truncated or never: each line is in RAW once, or a check is red.

The tests run the assets of the stages on a DuckDB file, with a bucket and Airbyte's jobs in memory.
"""

import gzip
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.landing_and_load import FIRST, Pipeline, a_file, a_line
from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.ingest.assets import LOOK_BACK_DAYS, earlier_syncs
from veracitypro_pipeline.lineage import landing_index
from veracitypro_pipeline.markdown import as_text
from veracitypro_pipeline.sources.keepa import PRODUCT_RAW
from veracitypro_pipeline.stage_values.landing import LandingIndex
from veracitypro_pipeline.statement import Statement

INDEX = landing_index(PRODUCT_RAW)


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def test_a_late_file_is_loaded_by_the_next_run_under_its_own_day(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 3, 2)
    held_back = pipeline.objects.pop(job.keys[1])
    assert pipeline.run(0) == ["records_equal_lines"]

    pipeline.objects[job.keys[1]] = held_back
    pipeline.sync(1, 4)

    assert pipeline.run(1) == []
    assert pipeline.rows() == {
        job.keys[0]: (FIRST, 3),
        job.keys[1]: (FIRST, 2),
        pipeline.jobs[1].keys[0]: (FIRST + timedelta(days=1), 4),
    }
    assert pipeline.load["late_files"] == job.keys
    assert (pipeline.load["rows_in"], pipeline.load["late_rows"]) == (4, 5)
    assert pipeline.run(1) == []
    assert pipeline.load["late_files"] == []


@pytest.mark.parametrize("reload", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_sync_found_for_two_days_belongs_to_the_later_one(
    pipeline: Pipeline, order: tuple[int, int], reload: bool
) -> None:
    """After two nights without a sync, the first day that is run again starts one, and the other
    finds it."""
    job = pipeline.sync(1, 3)

    for day in order:
        assert pipeline.run(day, job=job, reload=reload) == []
    assert pipeline.rows() == {job.keys[0]: (FIRST + timedelta(days=1), 3)}


def test_the_days_that_a_restored_older_warehouse_lacks_are_named(
    pipeline: Pipeline,
) -> None:
    """The ledger was restored too, so it agrees with RAW."""
    last = LOOK_BACK_DAYS + 3
    for day in range(last + 1):
        pipeline.sync(day, 2)
        pipeline.run(day)
        assert pipeline.manifest is not None
        landed = f"landing/keepa/product_raw/{FIRST + timedelta(days=day)}"
        pipeline.state_store.write(landed, pipeline.manifest)
    failed = pipeline.sync(0, 1, status="failed")  # Its files are never loaded.
    lost = [pipeline.jobs[day].keys[0] for day in (1, 2)]
    for table in ("RAW.KEEPA_RAW", "MONITORING.LOAD_LEDGER"):
        pipeline.warehouse.transact(
            [Statement(f"delete from {table} where source_file in ($files)", {"files": lost})]
        )

    assert pipeline.run(last) == ["lines_loaded_or_quarantined"]
    named = f"{FIRST + timedelta(days=1)}, {FIRST + timedelta(days=2)}"
    said = pipeline.said["lines_loaded_or_quarantined"]
    assert said.endswith(f"days that S3 has and the ledger lacks: {named}.")
    assert pipeline.run(1) == pipeline.run(2) == pipeline.run(last) == []
    assert failed.keys[0] not in pipeline.rows()


def test_a_day_that_is_run_again_does_not_claim_the_sync_of_a_later_day(
    pipeline: Pipeline,
) -> None:
    late = pipeline.sync(2, 3)
    pipeline.run(0, job=late)
    night = pipeline.sync(2, 2)

    assert pipeline.run(2) == []
    assert pipeline.rows() == {
        key: (FIRST + timedelta(days=2), count)
        for key, count in ((*late.keys, 3), (*night.keys, 2))
    }


def test_a_file_listed_under_another_day_is_loaded_under_the_day_of_its_sync(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(1, 3)
    pipeline.run(1)
    for table in ("RAW.KEEPA_RAW", "MONITORING.LOAD_LEDGER"):
        pipeline.warehouse.transact([Statement(f"update {table} set as_of_date = '{FIRST}'")])

    assert pipeline.run(1) == []
    assert pipeline.rows() == {job.keys[0]: (FIRST + timedelta(days=1), 3)}


def test_the_ledger_keeps_the_first_arrival_of_a_file(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 3, 2)
    held_back = pipeline.objects.pop(job.keys[1])
    pipeline.run(0)
    came_at = pipeline.now
    pipeline.now += timedelta(hours=9)
    pipeline.objects[job.keys[1]] = held_back
    pipeline.sync(1, 4)
    pipeline.run(1)
    pipeline.now += timedelta(hours=9)
    pipeline.run(0, reload=True)

    arrivals = "select source_file, arrived_at from MONITORING.LOAD_LEDGER where as_of_date = $day"
    assert dict(pipeline.warehouse.query(arrivals, {"day": FIRST}).rows) == {
        job.keys[0]: came_at.replace(tzinfo=None),
        job.keys[1]: (came_at + timedelta(hours=9)).replace(tzinfo=None),
    }


def test_an_index_that_was_written_without_arrivals_gets_them_from_the_listing(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 3)
    pipeline.run(0)
    index = pipeline.state_store.read(INDEX, LandingIndex)
    assert index is not None
    text = index.model_dump(exclude={"files": {job.keys[0]: {"arrived_at"}}})
    pipeline.state_store.write(INDEX, LandingIndex.model_validate(text))
    pipeline.run(0)

    assert pipeline.manifest is not None
    assert [file.arrived_at for file in pipeline.manifest.files] == [pipeline.now]


def test_the_name_of_a_file_is_escaped_in_the_ui(pipeline: Pipeline) -> None:
    """In the table of files, and in checks on files that are truncated, gone or changed."""
    job = pipeline.sync(0, 300)
    name = f"`![x](https://example.com/x.png)`\n# {job.keys[0]}"
    pipeline.objects[name] = whole = pipeline.objects.pop(job.keys[0])
    pipeline.objects[f"unowned {name}"] = a_file("no record")
    pipeline.run(0)
    assert pipeline.landed["files"].records[0].data == {
        "key": name,
        "lines": 300,
        "bytes": len(whole),
        "arrived_at": str(pipeline.now),
    }
    said = [pipeline.said["files_of_this_sync"]]
    pipeline.warehouse.transact([Statement("delete from RAW.KEEPA_RAW where file_row_number = 2")])
    pipeline.sync(1, 3)
    pipeline.run(1)
    said += [pipeline.said["lines_loaded_or_quarantined"]]
    pipeline.objects[name] = whole[:-40]
    pipeline.run(1)
    said += [pipeline.said["earlier_files_are_whole"]]
    pipeline.run(0)
    said += [pipeline.said["files_arrived"]]
    del pipeline.objects[name]
    pipeline.run(0)
    said += [pipeline.said["files_arrived"]]
    for text in said:
        assert "png" in text
        assert "\n" not in text
        assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(|(?<!\\)`|https:/", text)
        assert "![x](https://example.com/x.png)" in as_text(text)


def test_a_sync_started_by_hand_is_loaded_too(pipeline: Pipeline) -> None:
    pipeline.sync(0, 3)
    pipeline.run(0)
    by_hand = pipeline.sync(0, 3)
    pipeline.sync(1, 3)

    assert pipeline.run(1) == []
    assert pipeline.rows()[by_hand.keys[0]] == (FIRST, 3)


@pytest.mark.parametrize("status", ["failed", "cancelled", "running"])
def test_the_files_of_an_interrupted_sync_are_never_loaded(pipeline: Pipeline, status: str) -> None:
    left = pipeline.sync(0, 2, status=status)
    whole = pipeline.sync(0, 3)

    assert pipeline.run(0) == []
    pipeline.sync(1, 3)
    assert pipeline.run(1) == []
    assert not set(left.keys) & set(pipeline.rows())
    assert whole.keys[0] in pipeline.rows()


def test_a_file_that_disappears_after_its_day_is_named_and_its_rows_stay(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 3, 2)
    pipeline.run(0)
    gone = pipeline.objects.pop(job.keys[0])
    pipeline.sync(1, 4)

    assert pipeline.run(1) == ["earlier_files_are_whole"]
    assert f"{job.keys[0]} is gone (3 lines)" in pipeline.said["earlier_files_are_whole"]
    assert "reports 5 records, its files hold 2 lines" in pipeline.said["earlier_files_are_whole"]
    assert pipeline.rows()[job.keys[0]] == (FIRST, 3)
    assert pipeline.run(1) == ["earlier_files_are_whole"], "it stays red until it is mended"

    pipeline.objects[job.keys[0]] = gone
    assert pipeline.run(1) == []


def test_a_file_of_the_day_itself_that_is_gone_stops_the_run_and_is_named(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 3)
    pipeline.run(0)
    del pipeline.objects[job.keys[0]]

    assert pipeline.run(0) == ["files_arrived", "records_equal_lines"]
    assert f"{job.keys[0]} is gone (3 lines)" in pipeline.said["files_arrived"]
    assert pipeline.rows()[job.keys[0]] == (FIRST, 3)


def test_a_file_truncated_after_its_load_is_named_and_not_loaded_again(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 300)
    pipeline.run(0)
    whole = pipeline.objects[job.keys[0]]
    pipeline.objects[job.keys[0]] = whole[:-40]
    pipeline.sync(1, 4)

    assert pipeline.run(1) == ["earlier_files_are_whole"]
    said = pipeline.said["earlier_files_are_whole"]
    assert f"{job.keys[0]} has changed" in said
    assert f"{job.keys[0]} is cut (EOFError" in said
    assert pipeline.rows()[job.keys[0]] == (FIRST, 300)

    pipeline.objects[job.keys[0]] = whole
    assert pipeline.run(1) == [], "a restored file is not a fault any more"


def test_a_copy_of_a_file_is_surplus_and_not_loaded(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 3)
    pipeline.run(0)
    pipeline.objects["copy.jsonl.gz"] = pipeline.objects[job.keys[0]]
    pipeline.sync(1, 4)

    assert pipeline.run(1) == ["earlier_files_are_whole"]
    assert "reports 3 records, its files hold 6 lines" in pipeline.said["earlier_files_are_whole"]
    assert "copy.jsonl.gz" not in pipeline.rows()

    del pipeline.objects["copy.jsonl.gz"]
    assert pipeline.run(1) == [], "deleting a copy loses nothing"


def test_a_file_that_became_a_copy_of_another_takes_no_rows_away(pipeline: Pipeline) -> None:
    """It has as many lines as before, all of the sync: only the record ids differ."""
    job = pipeline.sync(0, 2, 2)
    pipeline.run(0)
    own = pipeline.objects[job.keys[1]]
    pipeline.objects[job.keys[1]] = pipeline.objects[job.keys[0]]

    assert pipeline.run(0) == ["records_equal_lines"]
    assert f"{job.keys[1]} has the records of another file" in pipeline.said["records_equal_lines"]

    pipeline.sync(1, 1)
    assert pipeline.run(1) == ["earlier_files_are_whole"]
    assert f"{job.keys[1]} has the records of another" in pipeline.said["earlier_files_are_whole"]
    assert pipeline.rows()[job.keys[1]] == (FIRST, 2)

    pipeline.objects[job.keys[1]] = own
    assert pipeline.run(1) == []


def test_a_copy_that_stands_in_for_a_file_that_is_gone_takes_no_rows_away(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 2, 2)
    pipeline.run(0)
    pipeline.objects["copy.jsonl.gz"] = pipeline.objects[job.keys[0]]
    del pipeline.objects[job.keys[1]]
    pipeline.sync(1, 1)

    assert pipeline.run(1) == ["earlier_files_are_whole"]
    assert {key: pipeline.rows()[key] for key in job.keys} == dict.fromkeys(job.keys, (FIRST, 2))
    assert "copy.jsonl.gz" not in pipeline.rows()


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (a_line(2, "2-0-0"), "1 lines of {} repeat others of it"),
        (a_line(1, "1-0-0"), "1 lines are of Airbyte job 1"),
    ],
)
def test_a_duplicate_line_does_not_count_for_a_missing_one(
    pipeline: Pipeline, second: str, said: str
) -> None:
    pipeline.sync(0, 1)
    pipeline.run(0)
    job = pipeline.sync(1, 2)
    pipeline.objects[job.keys[0]] = a_file(a_line(2, "2-0-0"), second)

    assert "records_equal_lines" in pipeline.run(1)
    assert said.format(job.keys[0]) in pipeline.said["records_equal_lines"]
    assert job.keys[0] not in pipeline.rows()


def test_a_record_in_two_files_stops_the_build(pipeline: Pipeline) -> None:
    """The files differ, so only their rows show it."""
    job = pipeline.sync(0, 2, 2)
    pipeline.objects[job.keys[1]] = a_file(a_line(1, "1-0-0"), a_line(1, "1-1-0"))

    assert pipeline.run(0) == ["lines_loaded_or_quarantined"]
    assert "1 of which double another" in pipeline.said["lines_loaded_or_quarantined"]


def test_rows_of_long_ago_that_vanish_are_named_with_their_day(pipeline: Pipeline) -> None:
    old = pipeline.sync(0, 3)
    pipeline.run(0)
    pipeline.warehouse.transact([Statement("delete from RAW.KEEPA_RAW where file_row_number = 2")])
    pipeline.sync(LOOK_BACK_DAYS + 1, 3)

    assert pipeline.run(LOOK_BACK_DAYS + 1) == ["lines_loaded_or_quarantined"]
    said = pipeline.said["lines_loaded_or_quarantined"]
    assert f"{old.keys[0]} of {FIRST}: 3 lines loaded, 2 rows" in said
    assert pipeline.run(0, reload=True) == []


def test_an_object_that_is_closed_to_us_stops_only_a_sync_that_lacks_something(
    pipeline: Pipeline,
) -> None:
    job = pipeline.sync(0, 3)
    pipeline.objects["closed.gz"] = b"?"
    pipeline.closed = {"closed.gz"}
    assert pipeline.run(0) == ["files_of_this_sync"]
    assert "closed.gz" in pipeline.said["files_of_this_sync"]

    pipeline.objects["again.gz"] = pipeline.objects.pop(job.keys[0])
    pipeline.closed = {"again.gz"}
    with pytest.raises(PermanentFailure, match=r"S3 refused to read again\.gz: AccessDenied"):
        pipeline.run(0)
    pipeline.closed, pipeline.objects = set(), {"again.gz": pipeline.objects["again.gz"]}
    assert pipeline.run(0) == []


def test_an_unreadable_index_is_rebuilt(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.sync(0, 3)
    pipeline.run(0)
    index = pipeline.state_store.kept.pop(INDEX)
    pipeline.state_store.damaged.add(INDEX)

    assert pipeline.run(0) == []
    assert "is not a valid LandingIndex" in caplog.text
    assert pipeline.state_store.kept[INDEX] == index


def test_a_file_with_other_lines_replaces_its_rows_and_is_named(pipeline: Pipeline) -> None:
    """It has as many lines as before; only the etag differs."""
    job = pipeline.sync(0, 3)
    pipeline.run(0)
    pipeline.objects[job.keys[0]] = gzip.compress(
        gzip.decompress(pipeline.objects[job.keys[0]]).replace(b'"asin"', b'"isbn"')
    )
    pipeline.sync(1, 4)

    assert pipeline.run(1) == ["earlier_files_are_whole"]
    assert f"{job.keys[0]} has changed" in pipeline.said["earlier_files_are_whole"]
    assert pipeline.load["late_files"] == job.keys
    assert pipeline.rows()[job.keys[0]] == (FIRST, 3)


def test_a_renamed_file_does_not_double_its_rows(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 3)
    pipeline.run(0)
    pipeline.objects["renamed.jsonl.gz"] = pipeline.objects.pop(job.keys[0])

    assert pipeline.run(0) == []
    assert pipeline.rows() == {"renamed.jsonl.gz": (FIRST, 3)}
    assert "gone" not in pipeline.said["files_arrived"], "its lines are all there"


def test_deleted_rows_are_named_and_restored_by_a_reload(
    pipeline: Pipeline,
) -> None:
    """Of every sync of the day, also one started by hand, which has no other run."""
    by_hand, job = pipeline.sync(0, 2), pipeline.sync(0, 3)
    pipeline.run(0)
    pipeline.warehouse.transact([Statement("delete from RAW.KEEPA_RAW where file_row_number = 2")])

    assert pipeline.run(0) == ["lines_loaded_or_quarantined"]
    for said in (f"{job.keys[0]}: 3 lines, 2 rows", f"{by_hand.keys[0]}: 2 lines, 1 rows"):
        assert said in pipeline.said["lines_loaded_or_quarantined"]
    assert pipeline.run(0, reload=True) == []
    assert pipeline.rows() == {job.keys[0]: (FIRST, 3), by_hand.keys[0]: (FIRST, 2)}


def test_another_sync_of_the_same_day_replaces_an_incomplete_one(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 3)
    del pipeline.objects[job.keys[0]]
    assert "files_arrived" in pipeline.run(0)
    pipeline.sync(0, 3)
    assert pipeline.run(0) == []


def test_a_day_without_any_file_fails_and_says_whose_files_are_missing(pipeline: Pipeline) -> None:
    job = pipeline.sync(0, 3)
    pipeline.objects.clear()
    assert pipeline.run(0) == ["files_arrived", "records_equal_lines"]
    assert pipeline.said["files_arrived"] == (
        f"No object in the bucket was written by Airbyte job {job.job_id}."
    )


@pytest.mark.parametrize(
    "key",
    ["../../../outside.jsonl.gz", "/etc/outside.gz", "a'; drop table RAW.KEEPA_RAW; --", "\x1b[2J"],
)
def test_a_key_is_used_as_neither_a_path_nor_sql(
    pipeline: Pipeline, key: str, tmp_path: Path
) -> None:
    job = pipeline.sync(0, 3)
    pipeline.objects = {key: pipeline.objects[job.keys[0]]}
    assert pipeline.run(0) == []
    assert pipeline.rows() == {key: (FIRST, 3)}
    assert [file.name for file in tmp_path.iterdir()] == ["dwh.duckdb"]
    assert not list(tmp_path.parent.glob("outside*"))


def test_syncs_of_the_last_seven_days_are_checked(pipeline: Pipeline) -> None:
    old = pipeline.sync(0, 3)
    pipeline.sync(LOOK_BACK_DAYS + 1, 3)
    pipeline.run(LOOK_BACK_DAYS + 1)
    assert old.keys[0] not in pipeline.rows()


def test_a_job_without_its_figures_proves_nothing() -> None:
    garbled: list[dict[str, Any]] = [
        {"jobId": 1, "status": "succeeded"},
        {"jobId": 2, "status": "succeeded", "startTime": "soon", "rowsSynced": 1},
        {"jobId": 3, "status": "succeeded", "startTime": "2026-02-01T00:10:00Z"},
    ]
    assert earlier_syncs(garbled, FIRST, 9) == ()


events = st.one_of(
    st.tuples(st.just("sync"), st.integers(0, 2), st.lists(st.integers(1, 3), max_size=2)),
    st.tuples(st.just("failed sync"), st.integers(0, 2), st.lists(st.integers(1, 3), max_size=2)),
    st.tuples(st.just("copy"), st.integers(0, 9), st.none()),
    st.tuples(st.just("hide"), st.integers(0, 9), st.none()),
    st.tuples(st.just("cut"), st.integers(0, 9), st.none()),
    st.tuples(st.just("rewrite"), st.integers(0, 9), st.none()),
    st.tuples(st.just("restore"), st.integers(0, 9), st.none()),
    st.tuples(st.just("run"), st.integers(0, 2), st.none()),
    st.tuples(st.just("reload"), st.integers(0, 2), st.none()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(events, min_size=3, max_size=12))
@example(story=[("sync", 0, [1, 1]), ("copy", 1, None), ("hide", 3, None), ("run", 0, None)])
def test_after_any_sequence_of_events_records_equal_lines_equal_rows(
    story: list[tuple[str, int, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random arrivals, copies, truncations, changes, deletions, re-runs and reloads, in any order.

    A copy carries the id of its sync. Once the bucket is restored to what the syncs wrote, the next
    run of each day is green (it still names a file that once had other lines), and RAW has every
    record of every sync.
    """
    pipeline = Pipeline(tmp_path_factory.mktemp("story"))
    originals: dict[str, bytes] = {}
    pipeline.sync(0, 2)
    for what, number, parts in [*story, *(("run", day, None) for day in range(3))]:
        originals = {**pipeline.objects, **originals}
        keys = sorted(originals)
        if what == "sync":
            pipeline.sync(number, *parts)
        elif what == "failed sync":
            pipeline.sync(number, *parts, status="failed")
        elif what in ("run", "reload"):
            if any(job.day == number and job.status == "succeeded" for job in pipeline.jobs):
                _run_and_judge(pipeline, number, reload=what == "reload")
        elif keys:
            key = keys[number % len(keys)]
            if what == "copy":
                pipeline.objects[f"copy_of_{key}"] = originals[key]
            elif what == "hide":
                pipeline.objects.pop(key, None)
            elif what == "cut":
                pipeline.objects[key] = originals[key][:-9]
            elif what == "rewrite":
                changed = gzip.decompress(originals[key]).replace(b'"asin"', b'"isbn"')
                pipeline.objects[key] = gzip.compress(changed)
            elif what == "restore":
                pipeline.objects[key] = originals[key]

    pipeline.objects = {key: originals[key] for job in pipeline.jobs for key in job.keys}
    named = [] if "rewrite" not in {what for what, *_ in story} else ["earlier_files_are_whole"]
    for day in range(3):
        pipeline.sync(day, 1)
        assert pipeline.run(day) in ([], named), pipeline.said
    rows = sum(count for _, count in pipeline.rows().values())
    assert rows == sum(job.records for job in pipeline.jobs if job.status == "succeeded")


def _run_and_judge(pipeline: Pipeline, day: int, *, reload: bool) -> None:
    before = pipeline.rows()
    red = pipeline.run(day, reload=reload)
    rows = pipeline.rows()
    manifest = pipeline.manifest
    assert manifest is not None

    if not manifest.is_whole or not manifest.files:
        assert red
        assert rows == before, "an incomplete day changes nothing"
    else:
        for sync in manifest.loadable:
            for file in sync.files:
                assert rows[file.key] == (sync.as_of_date, file.lines)
            assert sum(rows[file.key][1] for file in sync.files) == sync.records_reported
    if not rows:
        return
    # No record is lost or doubled, and none comes from a failed sync.
    ended_well = {job.job_id for job in pipeline.jobs if job.status == "succeeded"}
    asins = Counter(
        asin
        for (asin,) in pipeline.warehouse.query(
            "select coalesce(payload ->> 'asin', payload ->> 'isbn') from RAW.KEEPA_RAW"
        ).rows
    )
    assert set(asins.values()) <= {1}, "a copy was loaded beside its original"
    assert set(asins) >= pipeline.asins_seen
    assert {int(asin.split("-")[0]) for asin in asins} <= ended_well
    pipeline.asins_seen = set(asins)
    ledger = pipeline.warehouse.query(
        "select source_file, lines, loaded, quarantined from MONITORING.LOAD_LEDGER"
    ).rows
    assert len({key for key, *_ in ledger}) == len(ledger)
    for key, lines, loaded, quarantined in ledger:
        assert lines == loaded + quarantined == rows[key][1]
    assert {key for key, *_ in ledger} == set(rows)
