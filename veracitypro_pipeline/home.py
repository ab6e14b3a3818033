"""The folder of all local state: private to its owner, and never taken from somebody else.

Every process that writes there makes it by `make_home` first; whoever only looks leaves it alone.

Not here: where it is (`settings.py`), and what lies in its parts.
"""

import os
import stat
from pathlib import Path
from typing import Final

# Held by the run that is at work.
RUN_LOCK_FILE: Final = "run.lock"
LOG_FILE: Final = "vp.log"
# What the project keeps in its home; anything else there is somebody else's.
CONTENTS: Final = frozenset(
    {
        "bench",
        "dagster",
        "dagster-dev",
        "dagster-prod",
        "dbt",
        RUN_LOCK_FILE,
        "stack",
        LOG_FILE,
        "warehouse",
    }
)
FOLDER_MODE: Final = 0o700
_OF_OTHERS: Final = 0o077


class NotOurs(RuntimeError):
    """The folder is somebody else's. The message is one sentence with the next step."""


def make_home(path: Path) -> Path:
    """Create the home if it is missing, and close it to other users.

    Raises:
        NotOurs: it belongs to another user, is shared as /tmp is, or other users may look into it
            and nothing in it is of this project; it stays as it is.
    """
    if path.exists():
        _refuse_if_not_ours(path)
    return make_private_folder(path)


def make_private_folder(path: Path) -> Path:
    """Create the folder, and those above it, if they are missing; close it to other users."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path.chmod(FOLDER_MODE)
    return path


def _refuse_if_not_ours(path: Path) -> None:
    state = path.stat()
    names = {entry.name for entry in path.iterdir()} if os.access(path, os.R_OK) else set()
    if state.st_uid != os.getuid():
        reason = "belongs to another user"
    elif state.st_mode & stat.S_ISVTX:
        reason = "is a folder that users share"
    elif state.st_mode & _OF_OTHERS and names and not names & CONTENTS:
        reason = f"holds {min(names)} and nothing of this project, and would be closed to others"
    else:
        return
    raise NotOurs(
        f"{path} {reason}, so it is not taken for local state: name a new folder with --home or"
        " VP_HOME, for instance one inside it."
    )
