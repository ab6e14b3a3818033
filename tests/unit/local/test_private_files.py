"""Files of the stack in every shape that a crash, an editor or another version leaves."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from veracitypro_pipeline.cli.home import down, reset
from veracitypro_pipeline.home import make_home
from veracitypro_pipeline.local.credentials import Credentials
from veracitypro_pipeline.local.private_files import DamagedFileError, write_json
from veracitypro_pipeline.local.services.airbyte.jobs import JobStore
from veracitypro_pipeline.local.services.powerbi import Refreshes
from veracitypro_pipeline.local.services.slack import Inbox
from veracitypro_pipeline.local.stack.lifecycle import STATE_FILE, read_started
from veracitypro_pipeline.local.stack.playback import Playback


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--home` sets a variable of the process."""
    monkeypatch.setenv("VP_HOME", ".vp")


def now() -> datetime:
    return datetime(2026, 1, 31, 0, 10, tzinfo=UTC)


JOB = {
    "job_id": 1,
    "inputs": "",
    "started_at": "2026-01-31T00:10:00+00:00",
    "updated_at": "2026-01-31T00:10:01+00:00",
    "status": "succeeded",
}
REFRESH = {
    "requestId": "r",
    "startTime": "2026-01-31T00:10:00Z",
    "endTime": "2026-01-31T00:10:01Z",
    "outcome": "Completed",
    "over_at": 1.0,
}
STARTED = {"pid": 1, "url": "u", "s3_url": "s", "tracked_products": "t", "connectors": "c"}

# What is no value of any of the files.
NEVER = ["", " ", "null", "0", '"text"', "true", '{"a": ', "[1]", "[null]", "[[]]", "\x00"]
NEVER.append("[" * 9999)
KEPT: dict[str, tuple[Callable[[Path], Any], list[Any]]] = {
    "playback.json": (
        lambda path: Playback(path, path.parent / "tracked_products.csv"),
        [
            [],
            {"offset_seconds": None},
            {"offset_seconds": "1"},
            {"offset_seconds": 1e300},
            {"offset_seconds": float("nan")},
            {"folder": 1},
            {"turn": -1},
            {"asins": 1.5},
            {"played": {"folder": {"2026-01-31": None}}},
            {"played": []},
        ],
    ),
    "airbyte.json": (
        lambda path: JobStore(path, now),
        [
            {},
            [{}],
            [{**JOB, "job_id": 2}],
            [JOB, JOB],
            [{**JOB, "job_id": "1"}],
            [{**JOB, "started_at": "yesterday"}],
            [{**JOB, "started_at": "2026-01-31T00:10:00"}],
            [{**JOB, "status": "lost"}],
            [{**JOB, "rows": -1}],
            [{name: JOB[name] for name in JOB if name != "inputs"}],
        ],
    ),
    "refreshes.json": (
        lambda path: Refreshes(path, now),
        [
            {},
            [{}],
            [{**REFRESH, "outcome": "Unheard"}],
            [{**REFRESH, "over_at": "soon"}],
            [{**REFRESH, "over_at": float("inf")}],
            [{**REFRESH, "requestId": None}],
        ],
    ),
}
SHAPES = [
    pytest.param(name, text, id=f"{name} {text[:40]}")
    for name, (_, values) in KEPT.items()
    for text in (*NEVER, *map(json.dumps, values))
]


@pytest.mark.parametrize(("name", "text"), SHAPES)
def test_a_damaged_file_that_cannot_be_made_again_is_named_with_the_way_out(
    name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DamagedFileError) as damage:
        KEPT[name][0](tmp_path / name)
    said = str(damage.value)
    assert said.startswith(f"The local stack's file {tmp_path / name} is damaged (")
    assert said.endswith("put a copy of it back, or delete the local state with `vp reset`.")
    assert "\n" not in said
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_bytes_that_are_no_text_and_a_folder_in_the_place_of_a_file_are_damage(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "airbyte.json"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"airbyte\.json is damaged"):
        JobStore(path, now)


def test_a_field_of_a_newer_version_is_left_out(tmp_path: Path) -> None:
    for name, value in (
        ("airbyte.json", [{**JOB, "attempts": 2}]),
        ("playback.json", {"turn": 1, "speed": 2}),
        ("refreshes.json", [{**REFRESH, "by": "hand"}]),
    ):
        write_json(tmp_path / name, value)
        KEPT[name][0](tmp_path / name)
    own = asdict(Credentials.load_or_make(tmp_path / "credentials.json"))
    write_json(tmp_path / "credentials.json", {**own, "newer": "word"})
    assert asdict(Credentials.load_or_make(tmp_path / "credentials.json")) == own
    assert "newer" in (tmp_path / "credentials.json").read_text()
    write_json(tmp_path / STATE_FILE, {**STARTED, "since": "now"})
    assert read_started(tmp_path) is not None


OF_CREDENTIALS = [{"control_token": None}, {"control_token": ""}, {"keepa_api_key": 7}, []]


@pytest.mark.parametrize("text", [*NEVER, *map(json.dumps, OF_CREDENTIALS), None])
def test_damaged_sign_ins_are_made_again(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.mkdir() if text is None else path.write_text(text)
    made = Credentials.load_or_make(path)
    assert Credentials.load_or_make(path) == made
    assert path.stat().st_mode & 0o077 == 0


def test_sign_ins_that_an_older_version_made_are_completed(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    write_json(path, {"control_token": "kept"})
    made = Credentials.load_or_make(path)
    assert made.control_token == "kept"
    assert json.loads(path.read_text()) == asdict(made)


OF_STARTED = [[], {}, {"pid": 1}, *({**STARTED, "pid": pid} for pid in (None, -1, 0, "1", 1.5))]


@pytest.mark.parametrize("text", [*NEVER, *map(json.dumps, OF_STARTED), None])
def test_a_damaged_state_file_locks_nobody_out(text: str | None, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    state = home / "stack" / STATE_FILE
    commands: list[tuple[click.Command, list[str]]] = [(down, []), (reset, ["--yes"])]
    for command, options in commands:
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir() if text is None else state.write_text(text)
        assert read_started(state.parent) is None
        outcome = CliRunner().invoke(command, [*options, "--home", str(home)])
        assert outcome.exit_code == 0, outcome.output
        assert not state.exists()
    assert not home.exists()


def test_a_line_of_slack_that_was_cut_is_left_out(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "messages.jsonl", now)
    inbox.add("api", "#data-alerts", {"text": "whole"})
    with (tmp_path / "messages.jsonl").open("ab") as file:
        file.write(b'null\n[]\n{}\n\xff\n{"ts": "1", "via": ')
    assert [message["text"] for message in inbox.messages()] == ["whole"]
