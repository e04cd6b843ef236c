import asyncio
import random
from dataclasses import dataclass, field

from unde_catalog.net.host_limiter import GOOD_ANSWERS, NARROWED_REST, TIMEOUTS, HostLimiter
from unde_catalog_tests.support.fake_time import FakeTime


@dataclass
class Visits:
    """Visitors that stay for some turns of the loop each: when they came in, and the most at once."""

    time: FakeTime
    inside: int = 0
    most: int = 0
    came_in: list[float] = field(default_factory=list)

    async def visit(self, gate: HostLimiter, deadline: float = float("inf")) -> bool:
        async with gate.slot(deadline) as in_time:
            if in_time:
                self.came_in.append(self.time.time)
                self.inside += 1
                self.most = max(self.most, self.inside)
                await asyncio.sleep(0)
                self.inside -= 1
            return in_time


async def visits(gate: HostLimiter, time: FakeTime, count: int) -> Visits:
    seen = Visits(time)
    await asyncio.gather(*(seen.visit(gate) for _ in range(count)))
    return seen


def test_no_more_than_its_slots_are_inside_at_once() -> None:
    time = FakeTime()
    seen = asyncio.run(visits(HostLimiter(3, 0, 0, clock=time.clock), time, 10))
    assert (seen.most, len(seen.came_in)) == (3, 10)


def test_a_slot_rests_between_two_requests_for_a_time_within_its_bounds() -> None:
    time = FakeTime()
    seen = asyncio.run(visits(HostLimiter(1, 0.5, 2.0, clock=time.clock, rng=random.Random(1)), time, 50))
    rests = [after - before for before, after in zip(seen.came_in, seen.came_in[1:], strict=False)]
    assert all(0.5 <= rest <= 2.0 for rest in rests)
    assert max(rests) - min(rests) > 1


def test_a_slot_that_has_rested_long_enough_is_taken_without_waiting() -> None:
    async def twice() -> None:
        gate = HostLimiter(2, 1, 1, clock=time.clock)
        await Visits(time).visit(gate)
        await Visits(time).visit(gate)

    time = FakeTime()
    asyncio.run(twice())
    assert time.slept == []


def test_a_pause_holds_up_all_slots_also_those_whose_rest_is_nearly_over() -> None:
    async def paused() -> list[float]:
        gate, seen = HostLimiter(2, 1, 1, clock=time.clock), Visits(time)
        await asyncio.gather(seen.visit(gate), seen.visit(gate))
        gate.pause(time.time + 30)
        gate.pause(time.time + 5)  # the longer one stays
        await asyncio.gather(seen.visit(gate), seen.visit(gate))
        return seen.came_in

    time = FakeTime()
    assert asyncio.run(paused()) == [1000, 1000, 1030, 1030]


def test_a_pause_that_begins_while_a_slot_rests_is_kept() -> None:
    async def paused() -> list[float]:
        gate, seen = HostLimiter(1, 1, 1, clock=time.clock), Visits(time)
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
        gate, seen = HostLimiter(1, 60, 60, clock=time.clock), Visits(time)
        gate.pause(time.time + 30)
        too_late = await seen.visit(gate, deadline=time.time + 20)
        assert time.slept == []
        return too_late, await seen.visit(gate, deadline=time.time + 31)

    time = FakeTime()
    assert asyncio.run(late()) == (False, True)


def test_a_cancelled_visitor_gives_his_slot_back() -> None:
    async def cancelled() -> bool:
        gate, seen = HostLimiter(1, 0, 0, clock=time.clock), Visits(time)
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


# ---------------------------------------------------------------- as many at once as the host can bear


def told(gate: HostLimiter, time: FakeTime, at_once: int, good: int = 0) -> None:
    """Refuse until the gate is that narrow, then give so many good answers."""
    while gate.at_once > at_once:
        time.time += 1
        gate.refused(began=time.time)
        time.time += 1
    for _ in range(good):
        gate.answered()


def test_each_refusal_halves_what_is_let_in_at_once_and_one_slot_is_left_at_least() -> None:
    time, widths = FakeTime(), []
    gate = HostLimiter(10, 0, 0, clock=time.clock)
    for _ in range(6):
        time.time += 1
        gate.refused(began=time.time)
        widths.append(gate.at_once)
    assert widths == [5, 2, 1, 1, 1, 1]


def test_refusals_of_requests_that_were_under_way_together_count_once() -> None:
    time = FakeTime()
    gate, began = HostLimiter(10, 0, 0, clock=time.clock), time.time
    for _ in range(10):
        time.time += 0.01
        gate.refused(began)
    assert gate.at_once == 5


def test_a_narrowed_gate_lets_fewer_in_at_once() -> None:
    async def narrowed() -> tuple[int, int]:
        gate = HostLimiter(10, 0, 0, clock=time.clock)
        wide = (await visits(gate, time, 30)).most
        told(gate, time, at_once=2)
        return wide, (await visits(gate, time, 30)).most

    time = FakeTime()
    assert asyncio.run(narrowed()) == (10, 2)


def test_those_who_waited_for_a_pause_to_end_are_not_let_in_all_at_once_after_it() -> None:
    async def paused() -> Visits:
        gate, seen = HostLimiter(10, 0, 0, clock=time.clock), Visits(time)
        gate.pause(time.time + 30)
        waiting = [asyncio.create_task(seen.visit(gate)) for _ in range(20)]
        await asyncio.sleep(0)
        gate.refused(began=time.time)
        await asyncio.gather(*waiting)
        return seen

    time = FakeTime()
    seen = asyncio.run(paused())
    assert (seen.most, len(seen.came_in), seen.came_in[0]) == (5, 20, 1030)


def test_a_slot_opens_again_after_so_many_good_answers_of_each_that_is_open() -> None:
    async def recovered() -> tuple[list[int], int]:
        gate, widths = HostLimiter(4, 0, 0, clock=time.clock), []
        told(gate, time, at_once=1)
        for slots in (1, 2, 3, 4):
            told(gate, time, 1_000, good=slots * GOOD_ANSWERS - 1)
            widths.append(gate.at_once)
            gate.answered()
            widths.append(gate.at_once)
        return widths, (await visits(gate, time, 20)).most

    time = FakeTime()
    assert asyncio.run(recovered()) == ([1, 2, 2, 3, 3, 4, 4, 4], 4)


def test_good_answers_before_a_refusal_do_not_help_afterwards() -> None:
    async def refused_again() -> int:
        gate = HostLimiter(4, 0, 0, clock=time.clock)
        told(gate, time, at_once=2, good=2 * GOOD_ANSWERS - 1)
        told(gate, time, at_once=1, good=GOOD_ANSWERS - 1)
        return gate.at_once

    time = FakeTime()
    assert asyncio.run(refused_again()) == 1


def test_a_narrowed_gate_has_rests_though_none_are_set_and_the_last_slot_longer_ones_at_each_refusal() -> None:
    async def paces() -> list[float]:
        gate, rests = HostLimiter(4, 0, 0, clock=time.clock), []
        for _ in range(7):
            seen = await visits(gate, time, 2 * gate.at_once)
            rests.append(seen.came_in[-1] - seen.came_in[0])
            time.time += 100
            gate.refused(began=time.time)
            time.time += 100
        return rests

    time = FakeTime()
    expected = [times * NARROWED_REST for times in (0, 1, 1, 2, 4, 8, 8)]
    assert [round(rest, 6) for rest in asyncio.run(paces())] == [round(rest, 6) for rest in expected]


def test_the_last_slots_rests_get_shorter_before_a_second_slot_opens() -> None:
    async def recovered() -> list[tuple[int, float]]:
        gate, seen_so_far = HostLimiter(2, 1, 1, clock=time.clock), []
        for _ in range(4):
            time.time += 1
            gate.refused(began=time.time)
        for _ in range(4):
            time.time += 100
            seen = await visits(gate, time, 2)
            seen_so_far.append((gate.at_once, seen.came_in[-1] - seen.came_in[0]))
            told(gate, time, 10, good=GOOD_ANSWERS)
        return seen_so_far

    time = FakeTime()
    assert asyncio.run(recovered()) == [(1, 8), (1, 4), (1, 2), (1, 1)]


def test_time_outs_count_as_a_refusal_when_they_come_in_a_row() -> None:
    time, widths = FakeTime(), []
    gate = HostLimiter(8, 0, 0, clock=time.clock)
    for row in (TIMEOUTS - 1, TIMEOUTS - 1, TIMEOUTS):
        for _ in range(row):
            time.time += 1
            gate.timed_out(began=time.time)
        widths.append(gate.at_once)
        gate.answered()
    assert widths == [8, 8, 4]


def test_a_cancelled_visitor_of_a_narrowed_gate_leaves_as_many_slots_as_there_should_be() -> None:
    async def cancelled() -> int:
        gate, seen = HostLimiter(4, 0, 0, clock=time.clock), Visits(time)
        gate.pause(time.time + 30)
        waiting = [asyncio.create_task(seen.visit(gate)) for _ in range(4)]
        await asyncio.sleep(0)
        gate.refused(began=time.time)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return (await visits(gate, time, 10)).most

    time = FakeTime()
    assert asyncio.run(cancelled()) == 2
