"""The tools that judge the code, as part of the one test command."""

import subprocess
import sys
from pathlib import Path

import pytest

from veracitypro_pipeline.settings import REPOSITORY_DIR

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "ruff", "check", "."],
        [sys.executable, "-m", "ruff", "format", "--check", "."],
        [sys.executable, "-m", "mypy"],
        [str(BIN / "lint-imports")],
    ],
    ids=["ruff", "format", "types", "imports"],
)
def test_the_code_passes(command: list[str]) -> None:
    outcome = subprocess.run(
        command, cwd=REPOSITORY_DIR, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
