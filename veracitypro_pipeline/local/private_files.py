"""JSON files of the stack: validated when read, replaced atomically when written."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from veracitypro_pipeline.home import write_file

Value = TypeVar("Value")


class DamagedFileError(ValueError):
    """A file of the stack is not valid. The message is one sentence with the next step."""


def write_json(path: Path, value: Any) -> None:
    """Replace the file atomically; only its owner can read it."""
    write_file(path, json.dumps(value, indent=1))


def read_json(path: Path, kind: type[Value]) -> Value | None:
    """The file's content as a `kind`, or None if there is no such file.

    Fields that `kind` lacks are ignored: a newer version may have written them.

    Raises:
        DamagedFileError: the file cannot be read, or is not a valid `kind`.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise DamagedFileError(
            f"The local stack's file {path} is damaged ({_reason(error)}): put a copy of it back,"
            " or delete the local state with `vp reset`."
        ) from error


def _reason(error: ValidationError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
