import asyncio
import random
from dataclasses import dataclass, field

from unde_catalog.net.gate import Gate
from unde_catalog_tests.fake_time import FakeTime


@dataclass
class Visits:
    """Visitors that stay for some turns of the loop each: when they came in, and the most at once."""

    time: FakeTime
    inside: int = 0
    most: int = 0
    came_in: list[float] = field(default_factory=list)

    async def visit(self, gate: Gate, deadline: float = float("inf")) -> bool:
        async with gate.slot(deadline) as in_time:
            if in_time:
                self.came_in.append(self.time.time)
                self.inside += 1
                self.most = max(self.most, self.inside)
                await asyncio.sleep(0)
                self.inside -= 1
            return in_time


async def visits(gate: Gate, time: FakeTime, count: int) -> Visits:
    seen = Visits(time)
    await asyncio.gather(*(seen.visit(gate) for _ in range(count)))
    return seen


def test_no_more_than_its_slots_are_inside_at_once() -> None:
    time = FakeTime()
    seen = asyncio.run(visits(Gate(3, 0, 0, waiting=time.waiting), time, 10))
    assert (seen.most, len(seen.came_in)) == (3, 10)


def test_a_slot_rests_between_two_requests_for_a_time_within_its_bounds() -> None:
    time = FakeTime()
    seen = asyncio.run(visits(Gate(1, 0.5, 2.0, waiting=time.waiting, rng=random.Random(1)), time, 50))
    rests = [after - before for before, after in zip(seen.came_in, seen.came_in[1:], strict=False)]
    assert all(0.5 <= rest <= 2.0 for rest in rests)
    assert max(rests) - min(rests) > 1


def test_a_slot_that_has_rested_long_enough_is_taken_without_waiting() -> None:
    async def twice() -> None:
        gate = Gate(2, 1, 1, waiting=time.waiting)
        await Visits(time).visit(gate)
        await Visits(time).visit(gate)

    time = FakeTime()
    asyncio.run(twice())
    assert time.slept == []


def test_a_pause_holds_up_all_slots_also_those_whose_rest_is_nearly_over() -> None:
    async def paused() -> list[float]:
        gate, seen = Gate(2, 1, 1, waiting=time.waiting), Visits(time)
        await asyncio.gather(seen.visit(gate), seen.visit(gate))
        gate.pause(time.time + 30)
        gate.pause(time.time + 5)  # the longer one stays
        await asyncio.gather(seen.visit(gate), seen.visit(gate))
        return seen.came_in

    time = FakeTime()
    assert asyncio.run(paused()) == [1000, 1000, 1030, 1030]


def test_a_pause_that_begins_while_a_slot_rests_is_kept() -> None:
    async def paused() -> list[float]:
        gate, seen = Gate(1, 1, 1, waiting=time.waiting), Visits(time)
        await seen.visit(gate)
        resting = asyncio.create_task(seen.visit(gate))
        await asyncio.sleep(0)
        gate.pause(time.time + 30)
        await resting
        return seen.came_in

    time = FakeTime()
    assert asyncio.run(paused()) == [1000, 1030]


def test_who_could_only_come_in_after_his_deadline_is_told_at_once_and_costs_no_rest() -> None:
    async def late() -> tuple[bool, bool]:
        gate, seen = Gate(1, 60, 60, waiting=time.waiting), Visits(time)
        gate.pause(time.time + 30)
        too_late = await seen.visit(gate, deadline=time.time + 20)
        assert time.slept == []
        return too_late, await seen.visit(gate, deadline=time.time + 31)

    time = FakeTime()
    assert asyncio.run(late()) == (False, True)


def test_a_cancelled_visitor_gives_his_slot_back() -> None:
    async def cancelled() -> bool:
        gate, seen = Gate(1, 0, 0, waiting=time.waiting), Visits(time)
        async with gate.slot():
            waiting = asyncio.create_task(seen.visit(gate))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        inside = asyncio.create_task(seen.visit(gate))
        await asyncio.sleep(0)
        inside.cancel()
        await asyncio.gather(inside, return_exceptions=True)
        return await asyncio.wait_for(seen.visit(gate), 1)

    time = FakeTime()
    assert asyncio.run(cancelled())
