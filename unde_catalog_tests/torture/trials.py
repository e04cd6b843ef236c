"""A trial: several scrapes with all stages after each, undisturbed or with kills, and the resulting differences."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from unde_catalog_tests.torture.comparing import (
    TrialResult,
    differences,
    read_result,
    repeated_requests,
    stored_photos,
    unfinished_work,
)
from unde_catalog_tests.torture.killing import aims, kill_stage
from unde_catalog_tests.torture.trial_system import NEXT_SCRAPE, STAGES, TrialFailed, TrialSystem

OpenSystem = Callable[[str], AbstractContextManager[TrialSystem]]  # by the trial's name
Disturb = Callable[[TrialSystem, int, str], None]  # called for a stage of a round before it is run to completion
STAGE_RUN = "run of a stage"  # as a victim
_SHOWN = 8  # differences reported per trial


@dataclass(frozen=True, slots=True)
class Expected:
    """The result of the undisturbed trial, and the stored photo of each URL."""

    result: TrialResult
    hashes: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Figures:
    """Counts of all trials. `phases` counts kills by (stage, phase); one kill may hit several."""

    kills: Counter[str] = field(default_factory=Counter)  # by victim
    phases: Counter[tuple[str, str]] = field(default_factory=Counter)
    restarts: int = 0
    requests: Counter[str] = field(default_factory=Counter)  # of photos by trial
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def undisturbed(open_system: OpenSystem, rounds: int, figures: Figures) -> Expected:
    """Run all stages without kills."""
    hashes: dict[str, tuple[str, str]] = {}
    began = time.monotonic()
    with open_system("undisturbed") as system:
        for number in range(rounds):
            _scrape(system, number)
            for stage in STAGES:
                system.run_until_done(stage)
            hashes.update(stored_photos(system))
        expected = Expected(read_result(system), hashes)
        wrong = unfinished_work(system) + repeated_requests(system, hashes)
    if wrong:
        raise TrialFailed(f"the undisturbed trial has differences: {'; '.join(wrong[:_SHOWN])}")
    figures.seconds["undisturbed"] = time.monotonic() - began
    figures.requests["undisturbed"] = expected.result.requests.total()
    return expected


def disturbed(
    name: str, open_system: OpenSystem, rounds: int, disturb: Disturb, expected: Expected, figures: Figures
) -> None:
    """Run all stages with kills and add the differences to `figures.wrong`.

    `disturb` may raise `Unfinished` to leave the stages of an earlier round incomplete. Some photos that were listed
    by one scrape only are then never requested.
    """
    began = time.monotonic()
    all_requested = True
    with open_system(name) as system:
        try:
            for number in range(rounds):
                _scrape(system, number)
                for stage in STAGES:
                    try:
                        disturb(system, number, stage)
                    except Unfinished:
                        all_requested = False
                        break
                    system.run_until_done(stage)
                else:
                    _finish_reopened_work(system)
            found = read_result(system)
            wrong = (
                differences(expected.result, found)
                + unfinished_work(system)
                + repeated_requests(system, expected.hashes)
            )
            if all_requested:
                wrong += [
                    f"{one} was never requested" for one in expected.result.requests.keys() - found.requests.keys()
                ]
            figures.requests[name] = found.requests.total()
        except TrialFailed as broken:
            wrong = [str(broken)]
        figures.restarts += system.restarts
    figures.seconds[name] = time.monotonic() - began
    figures.wrong += [f"{name}: {one}" for one in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        figures.wrong.append(f"{name}: and {len(wrong) - _SHOWN} more")


class Unfinished(Exception):
    """The next scrape comes before the stages are done."""


def killing_stages(seed: int, kills: Mapping[str, int], figures: Figures) -> Disturb:
    """Kill each stage, `kills` times in each round."""

    def disturb(system: TrialSystem, number: int, stage: str) -> None:
        _kill_stage(system, stage, f"{seed} {number} {stage}", kills[stage], figures)

    return disturb


def killing_between_scrapes(seed: int, kills: Mapping[str, int], figures: Figures, rounds: int) -> Disturb:
    """Kill stages and scrape again before they are done, so that photo lists change again or back."""

    def disturb(system: TrialSystem, number: int, stage: str) -> None:
        last = number == rounds - 1
        _kill_stage(system, stage, f"{seed} {number} {stage} between", kills[stage], figures)
        if number and not last and stage == "originals":
            raise Unfinished

    return disturb


def _kill_stage(system: TrialSystem, stage: str, seed: str, count: int, figures: Figures) -> None:
    for aim in aims(stage, random.Random(seed), count):
        if kill_stage(system, stage, aim, figures.phases):
            figures.kills[STAGE_RUN] += 1


def _finish_reopened_work(system: TrialSystem) -> None:
    """A server killed late loses the last results of an earlier stage, which are due again."""
    while open_stages := [stage for stage in STAGES if system.count_open(stage)]:
        system.run_until_done(open_stages[0])


def _scrape(system: TrialSystem, number: int) -> None:
    if number:
        system.assortment.sell(number)
        system.advance(NEXT_SCRAPE)


def in_order(phases: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    """Sorted by stage, with the most frequent phase first."""
    order = (*STAGES, "migrate")
    return sorted(phases.items(), key=lambda one: (order.index(one[0][0]), -one[1]))
