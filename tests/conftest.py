"""What every test needs: its level as a marker, and a process that knows no secret yet.

A test that draws examples (hypothesis) draws few; `--hypothesis-profile=ci` draws more.
"""

import signal
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from veracitypro_pipeline import masking

FOLDER: Final = Path(__file__).parent

# Minutes each, the longest first.
LONGEST: Final = ("nights", "snowflake", "ui")

# `nohup`, and a script that starts the tests in the background, ignore these signals, and a process
# that the tests start would inherit that. Tests send them to stop what they started.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

settings.register_profile("dev", max_examples=5, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("dev")


def pytest_configure(config: pytest.Config) -> None:
    for level in sorted(path.name for path in FOLDER.iterdir() if (path / "__init__.py").exists()):
        config.addinivalue_line("markers", f"{level}: the tests of tests/{level}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(item.path.relative_to(FOLDER).parts[0])
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Groups of minutes begin first: at the end, such a group would keep one worker alone busy."""
    group = next((str(mark.args[0]) for mark in item.iter_markers("xdist_group")), "")
    return LONGEST.index(group) if group in LONGEST else len(LONGEST)


@pytest.fixture(autouse=True)
def no_secret_of_another_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process masks what it has once known as secret, e.g. an address that is a webhook's."""
    monkeypatch.setattr(masking, "_known", set())
