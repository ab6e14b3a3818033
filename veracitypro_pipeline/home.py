"""The folder of all local state: private to its owner, and marked as made by `vp`.

Every process that writes there makes it by `make_home` first; a command that only looks leaves it
alone. `vp reset` deletes a folder only if it carries the mark.

Not here: where it is (`settings.py`), and what lies in its parts.
"""

import os
import shutil
import stat
import unicodedata
from pathlib import Path
from typing import Final

# Held by the run that is at work.
RUN_LOCK_FILE: Final = "run.lock"
LOG_FILE: Final = "vp.log"
MARK_FILE: Final = ".vp-home"
_MARK_TEXT: Final = "Made by vp: `vp reset` deletes the local state in this folder.\n"
# Of each environment.
DAGSTER_FOLDERS: Final = ("dagster", "dagster-dev", "dagster-prod")
# What the project keeps in its home; anything else there is somebody else's.
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
# What tells a home that was made before homes were marked.
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


# SQLite and dbt read these as marks of an address, DuckDB the last as a slash. Files would then lie
# elsewhere.
_READ_OTHERWISE: Final = "#%?\\"
# Bytes. SQLite's limit is 512, and Dagster's databases lie some 80 below the home.
_LONGEST_PATH: Final = 400
_LONGEST_NAME: Final = 255


class NotOurs(RuntimeError):
    """The folder is somebody else's. The message is one sentence with the next step."""


def make_home(path: Path) -> Path:
    """Create the home if it is missing, mark it, and close it to other users.

    Raises:
        NotOurs: it belongs to another user, is shared as /tmp is, holds a folder of other origin
            under one of our names, or other users may look into it and nothing in it is of this
            project; it stays as it is.
    """
    if path.exists():
        _refuse_if_not_ours(path)
    make_private_folder(path)
    mark = path / MARK_FILE
    if not mark.exists():
        mark.write_text(_MARK_TEXT, encoding="utf-8")
    return path


def unusable(path: Path) -> str | None:
    """Why no file of ours can lie at this absolute path, in a clause; None if it can."""
    text = str(path)
    for character in text:
        if character in _READ_OTHERWISE:
            return f"holds {character}, which databases do not read as part of a name"
        # Control characters, and bytes that are no UTF-8.
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"holds {character!a}, which is no text"
    if len(os.fsencode(text)) > _LONGEST_PATH:
        return f"has more than {_LONGEST_PATH} bytes, which databases below it could not open"
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in path.parts):
        return f"has a name of more than {_LONGEST_NAME} bytes"
    return None


def is_home(path: Path) -> bool:
    """Whether `vp` made what lies in this folder under the names of `CONTENTS`."""
    return any((path / name).is_file() for name in (MARK_FILE, *_OLDER_MARKS))


def make_private_folder(path: Path) -> Path:
    """Create the folder, and those above it, if they are missing; close it to other users."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.chmod(FOLDER_MODE)
    return path


def write_file(path: Path, text: str) -> None:
    """Replace a file of the home in one step: neither a reader nor a crash, be it of the machine,
    leaves half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # A rename can reach the disk before what the file holds.
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def delete(path: Path) -> None:
    """Delete a file, a link, or a folder with all that it holds; nothing if it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _refuse_if_not_ours(path: Path) -> None:
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
    raise NotOurs(
        f"{path} {reason}, so it is not taken for local state: name a new folder with --home or"
        " VP_HOME, for instance one inside it."
    )


def _of_other_origin(path: Path, names: set[str]) -> list[str]:
    """What in the folder bears one of our names, is not ours, and is not empty."""
    if is_home(path):
        return []
    found = [path / name for name in names & CONTENTS]
    return [
        entry.name
        for entry in found
        if (any(entry.iterdir()) if entry.is_dir() else entry.lstat().st_size)
    ]
