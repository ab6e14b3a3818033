"""What the tests of a deployment share: what `.ci/build` makes, built once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from veracitypro_pipeline.settings import REPOSITORY_DIR

PACKED: Final = ("veracitypro_pipeline", "dbt_project", "infra", ".ci")
PACKED_FILES: Final = (
    ".gitignore",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements.txt",
    "workspace.yaml",
)
NOT_PACKED: Final = shutil.ignore_patterns("target", "logs", "__pycache__")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the documented step, from a copy, so that the checkout stays as it is."""
    source = tmp_path_factory.mktemp("source")
    for folder in PACKED:
        shutil.copytree(REPOSITORY_DIR / folder, source / folder, ignore=NOT_PACKED)
    for file in PACKED_FILES:
        shutil.copy(REPOSITORY_DIR / file, source / file)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("VP_", "PYTHON"))
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    built = subprocess.run(
        [source / ".ci" / "build"], env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    made = {path.suffix or path.name for path in (source / "dist").iterdir()}
    assert made == {"Dockerfile", ".txt", ".whl", "streamlit"}
    return next((source / "dist").glob("*.whl"))
