"""The home: the folder of all local state, private to its owner and marked as made by `vp`.

Every process that writes there calls `make_home` first; commands that only read do not create it.
`vp reset` deletes a folder only if it has the mark. `settings.py` says where the home is.
"""

import os
import shutil
import stat
import unicodedata
from pathlib import Path
from typing import Final

# Locked by the run in progress.
RUN_LOCK_FILE: Final = "run.lock"
LOG_FILE: Final = "vp.log"
MARK_FILE: Final = ".vp-home"
_MARK_TEXT: Final = "Made by vp: `vp reset` deletes the local state in this folder.\n"
# One per environment: local, dev, prod.
DAGSTER_FOLDERS: Final = ("dagster", "dagster-dev", "dagster-prod")
# All that the project stores in a home; anything else is foreign.
CONTENTS: Final = frozenset(
    {
        MARK_FILE,
        "bench",
        *DAGSTER_FOLDERS,
        "dbt",
        RUN_LOCK_FILE,
        "stack",
        LOG_FILE,
        "warehouse",
    }
)
# Files that identify a home made before homes had a mark.
_OLDER_MARKS: Final = (
    RUN_LOCK_FILE,
    LOG_FILE,
    "stack/start.lock",
    "warehouse/vp_dwh.duckdb",
    *(f"{folder}/vp_run.yaml" for folder in DAGSTER_FOLDERS),
    *(f"dbt/{environment}/parse/manifest.sources" for environment in ("local", "dev", "prod")),
)
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OF_OTHERS: Final = 0o077


# SQLite and dbt parse these as parts of a URL, and DuckDB reads a backslash as a slash: the files
# would be elsewhere.
_MISREAD: Final = "#%?\\"
# Bytes. SQLite's limit is 512, and paths of Dagster's databases are some 80 longer than the home's.
_LONGEST_PATH: Final = 400
_LONGEST_NAME: Final = 255


class ForeignFolderError(RuntimeError):
    """The folder must not become a home. The message is one sentence with the next step."""


def make_home(path: Path) -> Path:
    """Create the home if it is missing, mark it, and close it to other users.

    Raises:
        ForeignFolderError: it belongs to another user, is shared as /tmp is, has a folder with one
            of our names that `vp` did not create, or other users can read it and nothing in it is
            ours. The folder stays as it is.
    """
    if path.exists():
        _reject_foreign(path)
    make_private_folder(path)
    mark = path / MARK_FILE
    if not mark.exists():
        mark.write_text(_MARK_TEXT, encoding="utf-8")
    return path


def unusable(path: Path) -> str | None:
    """Why files cannot be stored at this absolute path, as a clause; None if they can."""
    text = str(path)
    for character in text:
        if character in _MISREAD:
            return f"holds {character}, which databases do not read as part of a name"
        # Control characters, and bytes that are not UTF-8.
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"holds {character!a}, which is not text"
    if len(os.fsencode(text)) > _LONGEST_PATH:
        return f"has more than {_LONGEST_PATH} bytes, which databases below it could not open"
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        return f"has a name of more than {_LONGEST_NAME} bytes"
    return None


def is_home(path: Path) -> bool:
    """Whether `vp` created what this folder has under the names of `CONTENTS`."""
    return any((path / name).is_file() for name in (MARK_FILE, *_OLDER_MARKS))


def make_private_folder(path: Path) -> Path:
    """Create the folder and its parents if they are missing, and close it to other users."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.chmod(FOLDER_MODE)
    return path


def write_file(path: Path, text: str) -> None:
    """Replace a file atomically: no reader sees half of it, even after a crash of the machine."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # Otherwise the rename can reach the disk before the content.
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with its content; do nothing if it is missing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _reject_foreign(path: Path) -> None:
    state = path.stat()
    names = {entry.name for entry in path.iterdir()} if os.access(path, os.R_OK) else set()
    if state.st_uid != os.getuid():
        reason = "belongs to another user"
    elif state.st_mode & stat.S_ISVTX:
        reason = "is a folder that users share"
    elif taken := _of_other_origin(path, names):
        reason = f"holds {min(taken)}, which `vp` has not made"
    elif state.st_mode & _OF_OTHERS and names and not names & CONTENTS:
        reason = f"holds {min(names)} and nothing of this project, and would be closed to others"
    else:
        return
    raise ForeignFolderError(
        f"{path} {reason}, so it cannot have local state: name a new folder with --home or"
        " VP_HOME, for instance one inside it."
    )


def _of_other_origin(path: Path, names: set[str]) -> list[str]:
    """Entries that have one of our names, are not empty, and were not created by `vp`."""
    if is_home(path):
        return []
    found = [path / name for name in names & CONTENTS]
    return [
        entry.name
        for entry in found
        if (any(entry.iterdir()) if entry.is_dir() else entry.lstat().st_size)
    ]
