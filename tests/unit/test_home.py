"""The home: closed to other users, and never a folder that `vp` did not create."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from veracitypro_pipeline.cli import main as command_line
from veracitypro_pipeline.cli.home import down, reset
from veracitypro_pipeline.cli.instance import prepare_dagster_home
from veracitypro_pipeline.home import CONTENTS, ForeignFolderError, make_home
from veracitypro_pipeline.local.stack.lifecycle import ensure_stack
from veracitypro_pipeline.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--home` sets a variable of the process, which is reset here."""
    monkeypatch.setenv("VP_HOME", ".vp")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that others may read, as under a umask of 022."""
    path = tmp_path / "folder"
    path.mkdir()
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("content", [None, *sorted(CONTENTS)])
def test_an_empty_folder_and_an_older_home_are_closed_to_others(
    folder: Path, content: str | None
) -> None:
    if content:
        (folder / content).touch()
    assert make_home(folder) == folder
    assert mode(folder) == 0o700


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_a_new_home_is_private_in_every_environment(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    home = tmp_path / "new" / "home"
    prepare_dagster_home(Settings.load(environment=environment, home=home))
    assert mode(home) == 0o700


def test_each_environment_of_a_home_has_its_own_runs(tmp_path: Path) -> None:
    """Runs of `local` must not be recorded in the MONITORING of prod."""
    homes = {
        environment: Settings.load(environment=environment, home=tmp_path).dagster_home
        for environment in ("local", "dev", "prod")
    }
    assert len(set(homes.values())) == len(homes)
    assert {home.name for home in homes.values()} <= CONTENTS


def test_a_folder_with_foreign_content_is_rejected_and_stays(folder: Path) -> None:
    (folder / "thesis.txt").touch()
    with pytest.raises(
        ForeignFolderError, match=r"holds thesis\.txt and nothing of this project.*--home"
    ):
        ensure_stack(folder, tracked_products=folder / "any.csv")
    assert mode(folder) == 0o755
    assert [entry.name for entry in folder.iterdir()] == ["thesis.txt"]


def test_a_private_folder_may_have_foreign_content(folder: Path) -> None:
    (folder / ".profile").touch()
    folder.chmod(0o700)
    assert make_home(folder) == folder


def test_a_shared_folder_is_rejected_and_stays_shared(folder: Path) -> None:
    folder.chmod(0o1777)
    with pytest.raises(ForeignFolderError, match="is a folder that users share"):
        make_home(folder)
    assert mode(folder) == 0o1777


def test_a_folder_of_another_user_is_rejected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(ForeignFolderError, match="belongs to another user"):
        make_home(folder)


@pytest.mark.parametrize("content", ["dbt/models", "dagster", "warehouse/sales.db"])
def test_only_a_folder_that_vp_has_made_is_reset(folder: Path, content: str) -> None:
    """Our names are common ones: any data project may have `dbt`, `dagster` and `warehouse`."""
    (folder / content).mkdir(parents=True)
    refused = CliRunner().invoke(reset, ["--home", str(folder), "--yes"])
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert f"{folder} lacks the file .vp-home" in refused.stderr
    assert (folder / content).exists()
    if "/" in content:  # It is not adopted as a home either, so a later reset cannot delete it.
        with pytest.raises(
            ForeignFolderError, match=f"holds {content.split('/')[0]}, which `vp` has not"
        ):
            make_home(folder)
        assert (folder / content).exists()


@pytest.mark.parametrize(
    "made", ["vp.log", "stack/start.lock", "dagster-prod/vp_run.yaml", "warehouse/vp_dwh.duckdb"]
)
def test_a_home_of_an_older_version_is_recognised_and_reset(folder: Path, made: str) -> None:
    (folder / made).parent.mkdir(exist_ok=True)
    (folder / made).touch()
    (folder / "dbt" / "local").mkdir(parents=True)
    make_home(folder)
    assert CliRunner().invoke(reset, ["--home", str(folder), "--yes"]).exit_code == 0
    assert not folder.exists()


def test_a_home_that_vp_dev_serves_is_not_reset(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`vp dev` becomes `dagster dev` by `exec`, which keeps our locks."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    held = prepare_dagster_home(Settings.load(home=folder))
    program = (
        "import os, sys; from pathlib import Path;"
        " from veracitypro_pipeline.cli.instance import hold_instance;"
        " hold_instance(Path(sys.argv[1]));"
        " os.execv('/bin/sh', ['sh', '-c', 'echo ready; read line'])"
    )
    served = subprocess.Popen(
        [sys.executable, "-c", program, str(held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with served:
        assert served.stdout is not None
        assert served.stdout.readline() == b"ready\n"
        refused = CliRunner().invoke(reset, ["--home", str(folder), "--yes"])
        assert refused.exit_code == 2
        assert f"`vp dev` shows the runs in {held}" in refused.stderr
        assert held.exists()
    assert CliRunner().invoke(reset, ["--home", str(folder), "--yes"]).exit_code == 0


def test_commands_that_stop_or_read_do_not_create_a_home(folder: Path) -> None:
    folder.chmod(0o1777)
    missing = folder / "home"
    for home in (folder, missing):
        answer = CliRunner().invoke(down, ["--home", str(home)])
        assert (answer.exit_code, "was not running" in answer.stdout) == (0, True), answer.output
    assert CliRunner().invoke(reset, ["--home", str(missing), "--yes"]).exit_code == 0
    assert mode(folder) == 0o1777
    assert list(folder.iterdir()) == []


def test_files_of_the_command_line_are_private(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the warehouse file is outside the home."""
    written = folder / "vp.log"
    monkeypatch.setattr(command_line, "vp", lambda **_options: written.touch())
    before = os.umask(0o022)
    try:
        command_line.main()
    finally:
        os.umask(before)
    assert mode(written) == 0o600
