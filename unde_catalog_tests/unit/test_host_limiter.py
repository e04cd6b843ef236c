import asyncio
import random
from dataclasses import dataclass, field

from unde_catalog.net.host_limiter import CONSECUTIVE_TIMEOUTS, SUCCESSES_PER_SLOT, THROTTLED_DELAY, HostLimiter
from unde_catalog_tests.support.fake_time import FakeTime


@dataclass
class Requests:
    """Requests that each last one turn of the event loop: when they started, and the highest concurrency."""

    time: FakeTime
    running: int = 0
    peak: int = 0
    started_at: list[float] = field(default_factory=list)

    async def send(self, limiter: HostLimiter, deadline: float = float("inf")) -> bool:
        async with limiter.slot(deadline) as in_time:
            if in_time:
                self.started_at.append(self.time.time)
                self.running += 1
                self.peak = max(self.peak, self.running)
                await asyncio.sleep(0)
                self.running -= 1
            return in_time


async def send_many(limiter: HostLimiter, time: FakeTime, count: int) -> Requests:
    seen = Requests(time)
    await asyncio.gather(*(seen.send(limiter) for _ in range(count)))
    return seen


def test_concurrency_never_exceeds_the_slots() -> None:
    time = FakeTime()
    seen = asyncio.run(send_many(HostLimiter(3, 0, 0, clock=time.clock), time, 10))
    assert (seen.peak, len(seen.started_at)) == (3, 10)


def test_the_delay_between_two_requests_of_a_slot_is_within_its_bounds() -> None:
    time = FakeTime()
    seen = asyncio.run(send_many(HostLimiter(1, 0.5, 2.0, clock=time.clock, rng=random.Random(1)), time, 50))
    delays = [after - before for before, after in zip(seen.started_at, seen.started_at[1:], strict=False)]
    assert all(0.5 <= delay <= 2.0 for delay in delays)
    assert max(delays) - min(delays) > 1


def test_a_slot_whose_delay_has_passed_is_free_at_once() -> None:
    async def twice() -> None:
        limiter = HostLimiter(2, 1, 1, clock=time.clock)
        await Requests(time).send(limiter)
        await Requests(time).send(limiter)

    time = FakeTime()
    asyncio.run(twice())
    assert time.slept == []


def test_a_pause_holds_back_all_slots() -> None:
    async def paused() -> list[float]:
        limiter, seen = HostLimiter(2, 1, 1, clock=time.clock), Requests(time)
        await asyncio.gather(seen.send(limiter), seen.send(limiter))
        limiter.pause(time.time + 30)
        limiter.pause(time.time + 5)  # the longer one stays
        await asyncio.gather(seen.send(limiter), seen.send(limiter))
        return seen.started_at

    time = FakeTime()
    assert asyncio.run(paused()) == [1000, 1000, 1030, 1030]


def test_a_pause_that_begins_during_a_slots_delay_is_kept() -> None:
    async def paused() -> list[float]:
        limiter, seen = HostLimiter(1, 1, 1, clock=time.clock), Requests(time)
        await seen.send(limiter)
        resting = asyncio.create_task(seen.send(limiter))
        await asyncio.sleep(0)
        limiter.pause(time.time + 30)
        await resting
        return seen.started_at

    time = FakeTime()
    assert asyncio.run(paused()) == [1000, 1030]


def test_a_deadline_that_cannot_be_met_fails_at_once_without_a_delay() -> None:
    async def late() -> tuple[bool, bool]:
        limiter, seen = HostLimiter(1, 60, 60, clock=time.clock), Requests(time)
        limiter.pause(time.time + 30)
        too_late = await seen.send(limiter, deadline=time.time + 20)
        assert time.slept == []
        return too_late, await seen.send(limiter, deadline=time.time + 31)

    time = FakeTime()
    assert asyncio.run(late()) == (False, True)


def test_a_cancelled_request_releases_its_slot() -> None:
    async def cancelled() -> bool:
        limiter, seen = HostLimiter(1, 0, 0, clock=time.clock), Requests(time)
        async with limiter.slot():
            waiting = asyncio.create_task(seen.send(limiter))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        next_request = asyncio.create_task(seen.send(limiter))
        await asyncio.sleep(0)
        next_request.cancel()
        await asyncio.gather(next_request, return_exceptions=True)
        return await asyncio.wait_for(seen.send(limiter), 1)

    time = FakeTime()
    assert asyncio.run(cancelled())


# ---------------------------------------------------------------- adapting to the host


def adjust(limiter: HostLimiter, time: FakeTime, concurrency: int, successes: int = 0) -> None:
    """Throttle down to this concurrency, then record successes."""
    while limiter.concurrency > concurrency:
        time.time += 1
        limiter.throttled(started_at=time.time)
        time.time += 1
    for _ in range(successes):
        limiter.succeeded()


def test_throttling_halves_the_concurrency_down_to_one_slot() -> None:
    time, widths = FakeTime(), []
    limiter = HostLimiter(10, 0, 0, clock=time.clock)
    for _ in range(6):
        time.time += 1
        limiter.throttled(started_at=time.time)
        widths.append(limiter.concurrency)
    assert widths == [5, 2, 1, 1, 1, 1]


def test_throttling_of_concurrent_requests_counts_once() -> None:
    time = FakeTime()
    limiter, started_at = HostLimiter(10, 0, 0, clock=time.clock), time.time
    for _ in range(10):
        time.time += 0.01
        limiter.throttled(started_at)
    assert limiter.concurrency == 5


def test_a_throttled_limiter_runs_fewer_requests_at_once() -> None:
    async def throttled() -> tuple[int, int]:
        limiter = HostLimiter(10, 0, 0, clock=time.clock)
        wide = (await send_many(limiter, time, 30)).peak
        adjust(limiter, time, concurrency=2)
        return wide, (await send_many(limiter, time, 30)).peak

    time = FakeTime()
    assert asyncio.run(throttled()) == (10, 2)


def test_after_a_pause_the_reduced_concurrency_holds() -> None:
    async def paused() -> Requests:
        limiter, seen = HostLimiter(10, 0, 0, clock=time.clock), Requests(time)
        limiter.pause(time.time + 30)
        waiting = [asyncio.create_task(seen.send(limiter)) for _ in range(20)]
        await asyncio.sleep(0)
        limiter.throttled(started_at=time.time)
        await asyncio.gather(*waiting)
        return seen

    time = FakeTime()
    seen = asyncio.run(paused())
    assert (seen.peak, len(seen.started_at), seen.started_at[0]) == (5, 20, 1030)


def test_a_slot_opens_after_enough_successes_of_each_open_slot() -> None:
    async def recovered() -> tuple[list[int], int]:
        limiter, widths = HostLimiter(4, 0, 0, clock=time.clock), []
        adjust(limiter, time, concurrency=1)
        for slots in (1, 2, 3, 4):
            adjust(limiter, time, 1_000, successes=slots * SUCCESSES_PER_SLOT - 1)
            widths.append(limiter.concurrency)
            limiter.succeeded()
            widths.append(limiter.concurrency)
        return widths, (await send_many(limiter, time, 20)).peak

    time = FakeTime()
    assert asyncio.run(recovered()) == ([1, 2, 2, 3, 3, 4, 4, 4], 4)


def test_successes_before_throttling_do_not_count_after_it() -> None:
    async def throttled_again() -> int:
        limiter = HostLimiter(4, 0, 0, clock=time.clock)
        adjust(limiter, time, concurrency=2, successes=2 * SUCCESSES_PER_SLOT - 1)
        adjust(limiter, time, concurrency=1, successes=SUCCESSES_PER_SLOT - 1)
        return limiter.concurrency

    time = FakeTime()
    assert asyncio.run(throttled_again()) == 1


def test_throttling_adds_a_delay_and_doubles_that_of_the_last_slot() -> None:
    async def delays_by_step() -> list[float]:
        limiter, delays = HostLimiter(4, 0, 0, clock=time.clock), []
        for _ in range(7):
            seen = await send_many(limiter, time, 2 * limiter.concurrency)
            delays.append(seen.started_at[-1] - seen.started_at[0])
            time.time += 100
            limiter.throttled(started_at=time.time)
            time.time += 100
        return delays

    time = FakeTime()
    expected = [times * THROTTLED_DELAY for times in (0, 1, 1, 2, 4, 8, 8)]
    assert [round(delay, 6) for delay in asyncio.run(delays_by_step())] == [round(delay, 6) for delay in expected]


def test_the_last_slots_delay_shrinks_before_a_second_slot_opens() -> None:
    async def recovered() -> list[tuple[int, float]]:
        limiter, steps = HostLimiter(2, 1, 1, clock=time.clock), []
        for _ in range(4):
            time.time += 1
            limiter.throttled(started_at=time.time)
        for _ in range(4):
            time.time += 100
            seen = await send_many(limiter, time, 2)
            steps.append((limiter.concurrency, seen.started_at[-1] - seen.started_at[0]))
            adjust(limiter, time, 10, successes=SUCCESSES_PER_SLOT)
        return steps

    time = FakeTime()
    assert asyncio.run(recovered()) == [(1, 8), (1, 4), (1, 2), (1, 1)]


def test_consecutive_timeouts_count_as_throttling() -> None:
    time, widths = FakeTime(), []
    limiter = HostLimiter(8, 0, 0, clock=time.clock)
    for row in (CONSECUTIVE_TIMEOUTS - 1, CONSECUTIVE_TIMEOUTS - 1, CONSECUTIVE_TIMEOUTS):
        for _ in range(row):
            time.time += 1
            limiter.timed_out(started_at=time.time)
        widths.append(limiter.concurrency)
        limiter.succeeded()
    assert widths == [8, 8, 4]


def test_a_cancelled_request_of_a_throttled_limiter_keeps_the_slot_count() -> None:
    async def cancelled() -> int:
        limiter, seen = HostLimiter(4, 0, 0, clock=time.clock), Requests(time)
        limiter.pause(time.time + 30)
        waiting = [asyncio.create_task(seen.send(limiter)) for _ in range(4)]
        await asyncio.sleep(0)
        limiter.throttled(started_at=time.time)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return (await send_many(limiter, time, 10)).peak

    time = FakeTime()
    assert asyncio.run(cancelled()) == 2
