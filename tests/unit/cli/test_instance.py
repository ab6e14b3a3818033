"""The configuration of a home's Dagster instance: updated by `vp` unless it was edited."""

from pathlib import Path

import pytest
import yaml

from veracitypro_pipeline.cli import instance
from veracitypro_pipeline.cli.instance import prepare_dagster_home
from veracitypro_pipeline.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", "")  # Undoes what `prepare_dagster_home` sets.
    return tmp_path


def prepared(home: Path) -> Path:
    return prepare_dagster_home(Settings.load(home=home)) / "vp_run.yaml"


def test_a_file_of_an_older_version_is_updated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = prepared(home)
    today = file.read_text()
    assert "OpenSqliteEventLogStorage" in yaml.safe_load(today)["event_log_storage"]["class"]

    with monkeypatch.context() as older:
        older.setattr(instance, "CONFIGURATIONS", {"vp_run.yaml": "telemetry: {enabled: false}\n"})
        assert yaml.safe_load(prepared(home).read_text()) == {"telemetry": {"enabled": False}}
    assert prepared(home).read_text() == today


def test_an_edited_file_stays(home: Path) -> None:
    file = prepared(home)
    edited = file.read_text() + "# ours\n"
    file.write_text(edited)
    assert prepared(home).read_text() == edited


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_file_truncated_by_a_crash_is_written_again(home: Path, share: float) -> None:
    file = prepared(home)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    assert prepared(home).read_bytes() == whole


def test_a_file_that_is_up_to_date_is_not_written_again(home: Path) -> None:
    file = prepared(home)
    before = file.stat()
    assert (prepared(home).stat().st_ino, file.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )
    assert {path.name for path in file.parent.iterdir()} == {"dagster.yaml", "vp_run.yaml"}
