"""Playing days: each keeps the fetches that it was first played with, in any order."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from veracitypro_pipeline.local.played_day import KEEP, TRACKED_ALONE, PlaybackError
from veracitypro_pipeline.local.services.airbyte.jobs import FAILED, JobStore
from veracitypro_pipeline.local.stack.playback import Playback

FIRST, SECOND = date(2026, 1, 10), date(2026, 1, 11)


@pytest.fixture
def payloads(tmp_path: Path) -> Path:
    """One product with two fetches."""
    folder = tmp_path / "payloads"
    folder.mkdir()
    for number in (1, 2):
        product = {"asin": "B0PADDLE01", "domainId": 1, "lastUpdate": number, "title": str(number)}
        (folder / f"{number}.json").write_text(json.dumps(product))
    return folder


@pytest.fixture
def playback(tmp_path: Path) -> Playback:
    return Playback(tmp_path / "playback.json", tmp_path / "tracked_products.csv")


def title(playback: Playback) -> str:
    product = playback.source().product(1, "B0PADDLE01", playback.now())
    assert product is not None
    return str(product["title"])


def test_a_day_keeps_its_turn_when_an_earlier_one_is_played_after_it(
    playback: Playback, payloads: Path, tmp_path: Path
) -> None:
    jobs = JobStore(tmp_path / "jobs.json", playback.now)
    told = []
    for day in (SECOND, FIRST, SECOND, FIRST):
        playback.play(day, payloads, jobs)
        told.append(title(playback))
    assert told == ["1", "2", "1", "2"]


def test_a_sync_that_died_with_the_stack_ends_at_its_last_sign_of_life(
    playback: Playback, payloads: Path, tmp_path: Path
) -> None:
    """Otherwise its day would be played at the time of the restart, after later days."""
    jobs = JobStore(tmp_path / "jobs.json", playback.now)
    playback.play(FIRST, payloads, jobs)
    died = jobs.start("keepa", playback.inputs())

    later = JobStore(tmp_path / "jobs.json", lambda: playback.now() + timedelta(days=3))

    (found,) = later.newest_first()
    assert found.status == FAILED
    assert found.updated_at == died.updated_at


def test_the_catalogue_has_as_many_products_as_are_asked_for(
    playback: Playback, tmp_path: Path
) -> None:
    (tmp_path / "tracked_products.csv").write_text(
        "domain_id,asin,role,product_line\n1,B0PADDLE01,own,tour\n5,B0PADDLE01,own,tour\n"
    )
    jobs = JobStore(tmp_path / "jobs.json", playback.now)
    assert playback.play(FIRST, TRACKED_ALONE, jobs).tracked == 2
    assert playback.play(FIRST, 30, jobs).tracked == 30
    # Also after a restart of the stack, for a run that names no number.
    again = Playback(tmp_path / "playback.json", tmp_path / "tracked_products.csv")
    assert again.play(SECOND, KEEP, jobs).tracked == 30
    with pytest.raises(PlaybackError, match="asked for 1 products, but 2 are tracked"):
        again.play(SECOND, 1, jobs)


def test_products_that_join_others_are_known_to(
    playback: Playback, payloads: Path, tmp_path: Path
) -> None:
    """A stranger's books in the home of the demo: `vp run --products` says what else is there."""
    (tmp_path / "tracked_products.csv").write_text("domain_id,asin,role,product_line\n")
    jobs = JobStore(tmp_path / "jobs.json", playback.now)
    # Nothing was synced before, so there is nothing to join.
    assert playback.play(FIRST, payloads, jobs).before == ""
    jobs.finish(jobs.start("keepa", playback.inputs()), "succeeded")
    assert playback.play(SECOND, payloads, jobs).before == ""
    assert playback.play(SECOND, TRACKED_ALONE, jobs).before == f"payload files of {payloads}"
    assert playback.play(SECOND, TRACKED_ALONE, jobs).before == ""
    assert playback.play(SECOND, payloads, jobs).before == "generated catalogue"
