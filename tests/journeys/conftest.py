"""Fixtures of the journeys: homes in which the real `vp` command runs nights.

A home is slow to create, so the tests of a group share one, and each leaves it in good order.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from tests.support.home import SECOND, Home
from veracitypro_pipeline.local.stack.lifecycle import stop_stack
from veracitypro_pipeline.settings import REPOSITORY_DIR

# The README's pictures; `pytest tests/journeys --pictures` replaces them.
PICTURES: Final = REPOSITORY_DIR / ".github" / "images"
COLOURS: Final = 128
# Pixels; a whole page is too long for a README.
SHOWN_HEIGHT: Final = 1300


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """An empty home; its stack is stopped at the end."""
    path = tmp_path_factory.mktemp("journey") / "home"
    yield Home(path)
    stop_stack(path)


@pytest.fixture(scope="session")
def nights_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home of `nights`, for the modules of the group of that name."""
    path = tmp_path_factory.mktemp("nights") / "home"
    yield Home(path)
    stop_stack(path)


@pytest.fixture(scope="session")
def nights(nights_home: Home) -> dict[str, Any]:
    """The output of `vp run --days 2 --json`: two nights in order."""
    return nights_home.run("--days", "2", "--date", str(SECOND))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", action="store_true", help="Take the README's pictures anew.")


@pytest.fixture
def keep_picture(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    """Stores a PNG beside the test's files and, with `--pictures`, a small one for the README.

    `height` is where the small one is cut, in pixels; None keeps all of it.
    """

    def keep(png: bytes, name: str, height: int | None = SHOWN_HEIGHT) -> None:
        (tmp_path / f"{name}.png").write_bytes(png)
        if request.config.getoption("--pictures", default=False):
            PICTURES.mkdir(exist_ok=True)
            whole = Image.open(io.BytesIO(png)).convert("RGB")
            shown = whole.crop((0, 0, whole.width, min(whole.height, height or whole.height)))
            # Colours of few pixels stay apart: the red of a legend is not the amber beside it.
            shown = shown.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE)
            shown.save(PICTURES / f"{name}.png", optimize=True)

    return keep
