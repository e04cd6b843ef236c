"""Looks at services all at once, each for a limited time, so that one that hangs delays nobody.

What is asked of which service is in the other files, a file a service; nothing is known of them here.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from unde_catalog.operations.doctor.result import Finding, Line, red, wanted, yellow
from unde_catalog.settings.redaction import Secrets
from unde_catalog.text import first_line

SECONDS = 10.0  # for each service, and so for all

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """A look at a service. `settings` are to be looked at where it hangs or fails in a way that it doesn't explain.

    `needs` names another check, in whose trouble this one can't say anything of its own.
    """

    service: str
    look: Callable[[], Finding]
    settings: tuple[str, ...] = ()
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A line for each check, in their order. `hung`: threads are left that nobody can end."""

    lines: tuple[Line, ...]
    hung: bool

    @property
    def well(self) -> bool:
        """Whether nothing is red."""
        return all(line.state != "red" for line in self.lines)


def run_checks(checks: Sequence[ServiceCheck], secrets: Secrets, seconds: float = SECONDS) -> Diagnosis:
    """Make all checks at once, each in a thread of its own; what has not answered in time is red."""
    answers: queue.SimpleQueue[tuple[str, Finding, float]] = queue.SimpleQueue()

    def look(check: ServiceCheck, began: float) -> None:
        try:
            finding = check.look()
        except Exception as error:  # whatever it is belongs into this service's line, and in no other's way
            finding = red(f"{type(error).__name__}: {first_line(error)}", *check.settings)
        answers.put((check.service, finding, time.monotonic() - began))

    ends = time.monotonic() + seconds
    for check in checks:
        threading.Thread(target=look, args=(check, time.monotonic()), daemon=True, name=check.service).start()
    found: dict[str, tuple[Finding, float]] = {}
    while len(found) < len(checks):
        try:
            service, finding, took = answers.get(timeout=max(0.0, ends - time.monotonic()))
        except queue.Empty:
            break
        found[service] = finding, took
    silent = {check.service for check in checks if check.service not in found}
    for check in checks:
        if check.service in silent:
            found[check.service] = red(f"no answer within {seconds:g} s", *check.settings), seconds
    for check in checks:
        if found[check.service][0].state == "red" and check.needs in found and found[check.needs][0].state == "red":
            found[check.service] = yellow(f"not known while {check.needs} is red"), found[check.service][1]
    return Diagnosis(tuple(_line(check.service, *found[check.service], secrets) for check in checks), bool(silent))


def within(seconds: float, work: Callable[[], _T]) -> _T | None:
    """What `work` gives, None where it fails or takes longer: for what is only good to know."""
    answer: queue.SimpleQueue[_T | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put(work())
        except Exception:  # the service it asked has a line of its own, which says why
            answer.put(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return None


def _line(service: str, finding: Finding, took: float, secrets: Secrets) -> Line:
    return Line(
        service,
        finding.state,
        secrets.hide(finding.said),
        {name: wanted(name) for name in finding.settings},
        round(took * 1000) if finding.asked else None,
    )
