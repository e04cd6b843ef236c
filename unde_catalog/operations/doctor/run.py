"""Runs all checks at once, each for a limited time, so that a service that hangs delays no other one.

The other modules, one per service, know how to check it; this one knows none of them.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from unde_catalog.operations.doctor.result import Finding, Line, expected_value, red, yellow
from unde_catalog.settings.redaction import Secrets
from unde_catalog.text import first_line

SECONDS = 10.0  # for each check; they run in parallel

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """The check of one service. `settings`: those to change if it hangs or raises an unexpected error.

    `needs`: another check; while that one is red, this one cannot say anything.
    """

    service: str
    check: Callable[[], Finding]
    settings: tuple[str, ...] = ()
    needs: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A line for each check, in order. `hung`: a check's thread is still running and cannot be stopped."""

    lines: tuple[Line, ...]
    hung: bool

    @property
    def well(self) -> bool:
        """Whether no line is red."""
        return all(line.state != "red" for line in self.lines)


def run_checks(checks: Sequence[ServiceCheck], secrets: Secrets, seconds: float = SECONDS) -> Diagnosis:
    """Run all checks at once, each in its own thread. A check that does not finish in time is red."""
    results: queue.SimpleQueue[tuple[str, Finding, float]] = queue.SimpleQueue()

    def run(check: ServiceCheck, started: float) -> None:
        try:
            finding = check.check()
        except Exception as error:  # becomes this service's line and must not affect the others
            finding = red(f"{type(error).__name__}: {first_line(error)}", *check.settings)
        results.put((check.service, finding, time.monotonic() - started))

    deadline = time.monotonic() + seconds
    for check in checks:
        threading.Thread(target=run, args=(check, time.monotonic()), daemon=True, name=check.service).start()
    found: dict[str, tuple[Finding, float]] = {}
    while len(found) < len(checks):
        try:
            service, finding, took = results.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[service] = finding, took
    hung = {check.service for check in checks if check.service not in found}
    for check in checks:
        if check.service in hung:
            found[check.service] = red(f"no response within {seconds:g} s", *check.settings), seconds
    for check in checks:
        if found[check.service][0].state == "red" and check.needs in found and found[check.needs][0].state == "red":
            found[check.service] = yellow(f"unknown while {check.needs} is red"), found[check.service][1]
    return Diagnosis(tuple(_line(check.service, *found[check.service], secrets) for check in checks), bool(hung))


def within(seconds: float, work: Callable[[], _T]) -> _T | None:
    """The result of `work`, None if it fails or takes longer: for optional information."""
    result: queue.SimpleQueue[_T | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            result.put(work())
        except Exception:  # the service that failed has its own line
            result.put(None)

    threading.Thread(target=run, daemon=True).start()
    try:
        return result.get(timeout=seconds)
    except queue.Empty:
        return None


def _line(service: str, finding: Finding, took: float, secrets: Secrets) -> Line:
    return Line(
        service,
        finding.state,
        secrets.hide(finding.message),
        {name: expected_value(name) for name in finding.settings},
        round(took * 1000) if finding.checked else None,
    )
