"""Kills a running stage at a seeded moment: in a phase, or after a time."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from unde_catalog_tests.torture.phases import PHASES, STARTING, Window
from unde_catalog_tests.torture.trial_system import LONGER_THAN_LEASES, TrialSystem, kill_group, pause

_POLL_SECONDS = 0.001  # seconds
_MAX_WORK_SECONDS = 1.2  # a kill after a time comes within so many seconds of the start of work
_START_UP_SECONDS = 1.0  # seconds that a command takes to start, about


@dataclass(frozen=True, slots=True)
class Aim:
    """When to kill: at the `nth` poll that finds the stage in `phase`, or without a phase `seconds` after work began.

    With `from_the_start`, the seconds count from the start of the command, so that start-up is hit too.
    """

    phase: str | None
    nth: int
    seconds: float
    from_the_start: bool = False


def aims(stage: str, chance: random.Random, count: int) -> list[Aim]:
    """Choose `count` moments. Two in three are in a phase, in turn from a random one on."""
    phases = PHASES[stage]
    first = chance.randrange(len(phases))
    chosen = []
    for n in range(count):
        seconds = chance.uniform(0, _MAX_WORK_SECONDS)
        if chance.random() < 2 / 3:
            chosen.append(Aim(phases[(first + n) % len(phases)], chance.choice((0, 0, 1, 3, 8, 20)), seconds))
        elif chance.random() < 0.8:
            chosen.append(Aim(None, 0, seconds))
        else:
            chosen.append(Aim(None, 0, seconds + _START_UP_SECONDS / 2, from_the_start=True))
    return chosen


def kill_stage(system: TrialSystem, stage: str, aim: Aim, phases: Counter[tuple[str, str]]) -> bool:
    """Start a stage, kill its process group and expire its leases. Returns False if the stage ended before.

    The process is stopped before it is killed, so that its phase is still the same when it is recorded.
    """
    process = system.start("run", stage)
    with Window(system, stage) as window:
        wait_for(window, aim, lambda: process.poll() is None)
        if process.poll() is not None:
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        hit = window.phases()
        kill_group(process)
    phases.update((stage, phase) for phase in hit)
    system.advance(LONGER_THAN_LEASES)
    return True


def wait_for(window: Window, aim: Aim, running: Callable[[], bool]) -> None:
    """Wait for the moment or the end of the command."""
    found, began = 0, time.monotonic() if aim.from_the_start else None
    while running():
        if aim.phase is None and began is not None:
            remaining = began + aim.seconds - time.monotonic()
            if remaining <= 0:
                return
            pause(min(remaining, 0.02))
            continue
        phases = window.phases()
        if aim.phase in phases:
            found += 1
            if found > aim.nth:
                return
        if aim.phase is None and phases != {STARTING}:
            began = time.monotonic()
        pause(_POLL_SECONDS)
