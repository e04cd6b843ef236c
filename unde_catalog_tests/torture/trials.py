"""A trial: three scrapes and all stages after each, undisturbed, or with deaths; and what is wrong afterwards."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from unde_catalog_tests.torture.comparing import Left, asked_again, differences, left, left_open, stored_photos
from unde_catalog_tests.torture.house import NEXT_SCRAPE, STAGES, Broken, House
from unde_catalog_tests.torture.killing import aims, kill_stage

OpenHouse = Callable[[str], AbstractContextManager[House]]  # by the trial's name
Disturb = Callable[[House, int, str], None]  # what happens to a stage of a round before it runs to its end
STAGE_RUN = "run of a stage"  # as a victim
_SHOWN = 8  # differences that are told of a trial


@dataclass(frozen=True, slots=True)
class Expected:
    """What the undisturbed trial left, and what is stored of each photo address."""

    left: Left
    hashes: Mapping[str, tuple[str, str]]


@dataclass(slots=True)
class Figures:
    """What was done. `phases` counts what kills hit by (stage, phase); one kill may be in several."""

    kills: Counter[str] = field(default_factory=Counter)  # by victim
    phases: Counter[tuple[str, str]] = field(default_factory=Counter)
    restarts: int = 0
    requests: Counter[str] = field(default_factory=Counter)  # of photos by trial
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def undisturbed(open_house: OpenHouse, rounds: int, figures: Figures) -> Expected:
    """Run everything as it is meant to be."""
    hashes: dict[str, tuple[str, str]] = {}
    began = time.monotonic()
    with open_house("undisturbed") as house:
        for number in range(rounds):
            _scrape(house, number)
            for stage in STAGES:
                house.to_the_end(stage)
            hashes.update(stored_photos(house))
        expected = Expected(left(house), hashes)
        wrong = left_open(house) + asked_again(house, hashes)
    if wrong:
        raise Broken(f"already without any death: {'; '.join(wrong[:_SHOWN])}")
    figures.seconds["undisturbed"] = time.monotonic() - began
    figures.requests["undisturbed"] = expected.left.requests.total()
    return expected


def disturbed(
    name: str, open_house: OpenHouse, rounds: int, disturb: Disturb, expected: Expected, figures: Figures
) -> None:
    """The same with deaths; what is different afterwards is told in `figures.wrong`.

    `disturb` may leave a stage of an earlier round where it is, with `Unfinished`: then some photos that were in the
    shop for one scrape only are never asked for.
    """
    began = time.monotonic()
    all_asked_for = True
    with open_house(name) as house:
        try:
            for number in range(rounds):
                _scrape(house, number)
                for stage in STAGES:
                    try:
                        disturb(house, number, stage)
                    except Unfinished:
                        all_asked_for = False
                        break
                    house.to_the_end(stage)
                else:
                    _settle(house)
            found = left(house)
            wrong = differences(expected.left, found) + left_open(house) + asked_again(house, expected.hashes)
            if all_asked_for:
                wrong += [f"{one} was never asked for" for one in expected.left.requests.keys() - found.requests.keys()]
            figures.requests[name] = found.requests.total()
        except Broken as broken:
            wrong = [str(broken)]
        figures.restarts += house.restarts
    figures.seconds[name] = time.monotonic() - began
    figures.wrong += [f"{name}: {one}" for one in wrong[:_SHOWN]]
    if len(wrong) > _SHOWN:
        figures.wrong.append(f"{name}: and {len(wrong) - _SHOWN} more")


class Unfinished(Exception):
    """The next scrape comes before the stages are through."""


def killing_stages(seed: int, kills: Mapping[str, int], figures: Figures) -> Disturb:
    """Kills each stage so many times in each round."""

    def disturb(house: House, number: int, stage: str) -> None:
        _kill_stage(house, stage, f"{seed} {number} {stage}", kills[stage], figures)

    return disturb


def killing_between_scrapes(seed: int, kills: Mapping[str, int], figures: Figures, rounds: int) -> Disturb:
    """Kills stages, and the next scrape comes before they are through: lists change again, or go back."""

    def disturb(house: House, number: int, stage: str) -> None:
        last = number == rounds - 1
        _kill_stage(house, stage, f"{seed} {number} {stage} between", kills[stage], figures)
        if number and not last and stage == "originals":
            raise Unfinished

    return disturb


def _kill_stage(house: House, stage: str, seed: str, count: int, figures: Figures) -> None:
    for aim in aims(stage, random.Random(seed), count):
        if kill_stage(house, stage, aim, figures.phases):
            figures.kills[STAGE_RUN] += 1


def _settle(house: House) -> None:
    """A server that dies late takes back what an earlier stage had done last: it is still due, and done again."""
    while open_stages := [stage for stage in STAGES if house.still_open(stage)]:
        house.to_the_end(open_stages[0])


def _scrape(house: House, number: int) -> None:
    if number:
        house.assortment.sell(number)
        house.later(NEXT_SCRAPE)


def in_order(phases: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    """In the stages' order, the most hit first."""
    order = (*STAGES, "migrate")
    return sorted(phases.items(), key=lambda one: (order.index(one[0][0]), -one[1]))
