"""The events of a home: Dagster's own files, written with fewer openings and closings."""

import threading
from pathlib import Path

import dagster as dg
import pytest

from veracitypro_pipeline.cli.instance import prepare_dagster_home
from veracitypro_pipeline.settings import Settings

OPEN_FILES = Path("/proc/self/fd")


@dg.multi_asset(
    specs=[dg.AssetSpec("priced")], check_specs=[dg.AssetCheckSpec("is_complete", asset="priced")]
)
def priced() -> object:
    yield dg.MaterializeResult("priced")
    yield dg.AssetCheckResult(passed=True, check_name="is_complete", asset_key="priced")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", "")  # Undoes what `prepare_dagster_home` sets.
    return prepare_dagster_home(Settings.load(home=tmp_path))


def run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([priced], instance=instance).run_id


def kinds(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [str(entry.dagster_event_type) for entry in instance.all_logs(run_id)]


def test_dagsters_storage_and_ours_write_and_read_the_same_files(folder: Path) -> None:
    with (
        dg.DagsterInstance.from_config(str(folder), "vp_run.yaml") as ours,
        dg.DagsterInstance.local_temp(str(folder)) as dagsters,
    ):
        runs = [run(ours), run(dagsters), run(ours)]
        for run_id in runs:
            assert kinds(ours, run_id) == kinds(dagsters, run_id)
            assert "DagsterEventType.RUN_SUCCESS" in kinds(ours, run_id)
        # Also in the index over all runs.
        for instance in (ours, dagsters):
            newest = instance.get_latest_materialization_event(dg.AssetKey("priced"))
            assert newest is not None
            assert newest.run_id == runs[-1]


def test_each_of_dagsters_databases_waits_for_a_lock(folder: Path) -> None:
    with dg.DagsterInstance.from_config(str(folder), "vp_run.yaml") as instance:
        of_runs = instance.run_storage.connect()  # type: ignore[attr-defined]
        of_events = instance.event_log_storage.index_connection()  # type: ignore[attr-defined]
        for opened in (of_runs, of_events):
            with opened as connection:
                assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 30_000


def test_a_watcher_sees_the_events_of_a_run_in_progress(folder: Path) -> None:
    """The run page of the UI watches with Dagster's storage, in another process."""
    seen = threading.Event()
    with (
        dg.DagsterInstance.from_config(str(folder), "vp_run.yaml") as ours,
        dg.DagsterInstance.local_temp(str(folder)) as page,
    ):
        run_id = run(ours)
        page.watch_event_logs(run_id, None, lambda _entry, _cursor: seen.set())
        ours.report_engine_event("in progress", ours.get_run_by_id(run_id))
        assert seen.wait(timeout=20)


@pytest.mark.skipif(not OPEN_FILES.exists(), reason="This system has no list of open files.")
def test_reading_many_runs_keeps_few_databases_open(folder: Path) -> None:
    with dg.DagsterInstance.from_config(str(folder), "vp_run.yaml") as instance:
        for run_id in [run(instance) for _ in range(5)]:
            assert kinds(instance, run_id)
        opened = {Path(link).name for link in _open_files(folder)}
    assert "index.db" in opened
    assert len({name for name in opened if name.endswith(".db")}) <= 4
    assert not _open_files(folder)


def _open_files(folder: Path) -> list[str]:
    links = (link.resolve() for link in OPEN_FILES.iterdir())
    runs = folder / "history" / "runs"
    return [str(link) for link in links if link.is_relative_to(runs)]
