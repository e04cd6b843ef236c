"""SIGKILL to a running stage at a seeded moment: when it is seen in a phase, or at a time."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from unde_catalog_tests.torture.house import LEASES_RAN_OUT, House, kill_group, pause
from unde_catalog_tests.torture.phases import PHASES, STARTING, Window

_LOOK = 0.001  # seconds between two looks
_LONGEST_WORK = 1.2  # seconds within which a kill at a time comes, after the work began
_IMPORTS = 1.0  # seconds that a command needs to come up, about


@dataclass(frozen=True, slots=True)
class Aim:
    """When to kill: at the `nth` look that finds it in `phase`; without a phase `seconds` after work began.

    Without either at `seconds` after the start, so that coming up is hit, too.
    """

    phase: str | None
    nth: int
    seconds: float
    from_the_start: bool = False


def aims(stage: str, chance: random.Random, count: int) -> list[Aim]:
    """So many moments: two in three in a phase, every phase in turn from a random one on."""
    phases = PHASES[stage]
    first = chance.randrange(len(phases))
    chosen = []
    for n in range(count):
        seconds = chance.uniform(0, _LONGEST_WORK)
        if chance.random() < 2 / 3:
            chosen.append(Aim(phases[(first + n) % len(phases)], chance.choice((0, 0, 1, 3, 8, 20)), seconds))
        elif chance.random() < 0.8:
            chosen.append(Aim(None, 0, seconds))
        else:
            chosen.append(Aim(None, 0, seconds + _IMPORTS / 2, from_the_start=True))
    return chosen


def kill_stage(house: House, stage: str, aim: Aim, phases: Counter[tuple[str, str]]) -> bool:
    """Start a stage and kill its process group; False where it had ended before. Afterwards its leases have run out.

    It is stopped first, so that what the kill hits can be told; a process that is stopped is as it was.
    """
    process = house.begin("run", stage)
    with Window(house, stage) as window:
        wait_for(window, aim, lambda: process.poll() is None)
        if process.poll() is not None:
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        hit = window.phases()
        kill_group(process)
    phases.update((stage, phase) for phase in hit)
    house.later(LEASES_RAN_OUT)
    return True


def wait_for(window: Window, aim: Aim, running: Callable[[], bool]) -> None:
    """Until the moment has come, or the command has ended."""
    seen, began = 0, time.monotonic() if aim.from_the_start else None
    while running():
        if aim.phase is None and began is not None:
            left = began + aim.seconds - time.monotonic()
            if left <= 0:
                return
            pause(min(left, 0.02))
            continue
        phases = window.phases()
        if aim.phase in phases:
            seen += 1
            if seen > aim.nth:
                return
        if aim.phase is None and phases != {STARTING}:
            began = time.monotonic()
        pause(_LOOK)
