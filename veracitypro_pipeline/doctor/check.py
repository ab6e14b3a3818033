"""What a check of a deployment is, and how a list of them is gone through. Pure: no service."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


class State(StrEnum):
    """What came of a check. `WAITS`: another one has to be green first, so nothing is known."""

    OK = "ok"
    FAULT = "fault"
    WAITS = "waits"


class Fault(Exception):
    """What a check found wrong, as a sentence; `fix` where it differs from the check's own."""

    def __init__(self, said: str, fix: str | None = None) -> None:
        super().__init__(said)
        self.fix = fix


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One item of the checklist.

    `look` returns what it saw, in a few words, or raises `Fault`. `fix` is the next step for
    whoever sets the deployment up. `after` names the check without which this one says nothing.
    """

    name: str
    look: Callable[[Subject], str]
    fix: str
    after: str | None = None


@dataclass(frozen=True)
class Finding:
    """What a check said; `fix` only of a fault."""

    name: str
    state: State
    said: str
    fix: str | None = None


def findings(
    checks: Iterable[Check[Subject]],
    subject: Subject,
    explain: Callable[[Exception], str | None] = lambda _: None,
) -> Iterator[Finding]:
    """Go through the checks in order, each to its finding.

    `explain` gives the sentence of an exception that a service's client raises when something is
    wrong with the deployment; an exception without one is ours, and is raised.
    """
    without_answer: set[str] = set()
    for check in checks:
        if check.after in without_answer:
            without_answer.add(check.name)
            yield Finding(check.name, State.WAITS, f"not looked at before {check.after} is ok")
            continue
        try:
            finding = Finding(check.name, State.OK, check.look(subject))
        except Fault as fault:
            finding = Finding(check.name, State.FAULT, str(fault), fault.fix or check.fix)
        except Exception as error:
            said = explain(error)
            if said is None:
                raise
            finding = Finding(check.name, State.FAULT, said, check.fix)
        if finding.state is not State.OK:
            without_answer.add(check.name)
        yield finding
