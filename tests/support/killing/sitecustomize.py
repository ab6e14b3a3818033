"""Kills a process in the middle of its work, as `kill -9` does, at a function that a test names.

Python imports a module of this name when it starts, if it finds one: a test puts this folder on the
PYTHONPATH of the process, so production code does not change. `CRASH_POINTS` has the points as JSON
(`Point` of this package). The process that dies at a point creates its file `marker`, and no other
process dies once it exists.
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from functools import reduce, wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any


class Wrapping(MetaPathFinder):
    """An importer that wraps the function after Python has loaded its module."""

    def __init__(self, point: dict[str, str]) -> None:
        self._point = point
        self._module, self._function = point["at"].split(":")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.loader is not None
        self._wrap_after(spec.loader)
        return spec

    def _wrap_after(self, loader: Loader) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            *outer, name = self._function.split(".")
            owner = reduce(getattr, outer, module)
            setattr(owner, name, deadly(getattr(owner, name), self._point))

        loader.exec_module = exec_module  # type: ignore[method-assign]


def deadly(function: Callable[..., Any], point: dict[str, str]) -> Callable[..., Any]:
    """The function, wrapped so that a call of it kills the process."""
    is_before = point["when"] == "before"
    condition = re.compile(point["condition"], re.IGNORECASE)
    once = Path(point["marker"])

    @wraps(function)
    def dying(*args: Any, **kwargs: Any) -> Any:
        is_meant = condition.search(f"{args[1:]} {kwargs}") and not once.exists()
        if not is_meant:
            return function(*args, **kwargs)
        if not is_before:
            function(*args, **kwargs)
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)

    return dying


sys.meta_path[:0] = [Wrapping(point) for point in json.loads(os.environ["CRASH_POINTS"])]
