"""Probes of a deployment, and the function that runs them. Pure: no service."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Subject = TypeVar("Subject")


class State(StrEnum):
    """The result of a probe. `WAITS`: it did not run, because an earlier one must be ok first."""

    OK = "ok"
    FAULT = "fault"
    WAITS = "waits"


class ProbeError(Exception):
    """What a probe found wrong; `fix` replaces the fix of the probe."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Probe(Generic[Subject]):
    """One item of the checklist.

    `look` returns its finding in a few words, or raises `ProbeError`. `fix` is the next step for
    the person who sets up the deployment. `after` names the probe that must be ok before this one
    runs.
    """

    name: str
    look: Callable[[Subject], str]
    fix: str
    after: str | None = None


@dataclass(frozen=True)
class Finding:
    """The outcome of a probe; only a fault has a `fix`."""

    name: str
    state: State
    message: str
    fix: str | None = None


def findings(
    probes: Iterable[Probe[Subject]],
    subject: Subject,
    explain: Callable[[Exception], str | None] = lambda _: None,
) -> Iterator[Finding]:
    """Run the probes in order and yield their findings.

    `explain` returns the message of an exception that a service's client raises when the deployment
    is wrong, and None for any other exception, which is raised again.
    """
    not_ok: set[str] = set()
    for probe in probes:
        if probe.after in not_ok:
            not_ok.add(probe.name)
            yield Finding(probe.name, State.WAITS, f"not looked at before {probe.after} is ok")
            continue
        try:
            finding = Finding(probe.name, State.OK, probe.look(subject))
        except ProbeError as fault:
            finding = Finding(probe.name, State.FAULT, str(fault), fault.fix or probe.fix)
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            finding = Finding(probe.name, State.FAULT, message, probe.fix)
        if finding.state is not State.OK:
            not_ok.add(probe.name)
        yield finding
