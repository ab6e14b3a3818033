"""JSON files of the stack which nobody but their owner may read, replaced as a whole.

Not here: what stands in them.
"""

import json
import os
from pathlib import Path
from typing import Any, Final

FILE_MODE: Final = 0o600


class DamagedFileError(ValueError):
    """A file of the stack is no JSON. The message is one sentence with the next step."""


def write_json(path: Path, value: Any) -> None:
    """Replace the file in one step, so that a reader or a crash never sees half of it."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    unfinished.replace(path)


def read_json(path: Path) -> Any | None:
    """The file's value; None if there is no such file.

    Raises:
        DamagedFileError: the file is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedFileError(
            f"The local stack's file {path} is no valid JSON ({error}): repair it, or delete the"
            " local state with `vp reset`."
        ) from error
