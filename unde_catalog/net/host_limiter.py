"""A rate limiter for one host: a number of concurrent requests, and a delay between two requests of a slot.

When the host asks for a pause, all its slots wait; `download.py` decides which responses mean that.
Concurrency adapts as TCP's congestion control does (AIMD: additive increase, multiplicative decrease): a throttling
response halves it, a run of successes adds one slot. At least one slot remains, with a growing delay instead.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock

SUCCESSES_PER_SLOT = 5  # before one more slot opens
CONSECUTIVE_TIMEOUTS = 3  # count as throttling; a single time-out may be the photo's fault
THROTTLED_DELAY = 0.1  # seconds, the minimum delay of a throttled host; without one a slot may send 1,000 requests/s
_MIN_WIDTH = 1 / 8  # of a slot: its delay is eight times as long


class HostLimiter:
    """At most `slots` concurrent requests; after each request its slot waits `delay_min` to `delay_max` seconds."""

    def __init__(
        self,
        slots: int,
        delay_min: float,
        delay_max: float,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._max_slots = slots
        self._delay = (delay_min, delay_max)
        self._clock = clock
        self._rng = rng or random.Random()
        self._paused_until = self._throttled_at = float("-inf")
        self._width = float(slots)  # below 1: one slot with a longer delay
        self._successes = self._timeouts = 0
        self._slots = 0  # open, free or taken; above `concurrency` until the excess ones are released
        self._ready_at: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()
        self._open_slots()

    @property
    def concurrency(self) -> int:
        """How many requests may run at once, given the host's responses so far."""
        return max(1, int(self._width))

    def pause(self, until: float) -> None:
        """Start no request before `until` (in the clock's time)."""
        self._paused_until = max(self._paused_until, until)

    def succeeded(self) -> None:
        """Record a valid response."""
        self._timeouts = 0
        self._successes += 1
        if self._width < self._max_slots and self._successes >= SUCCESSES_PER_SLOT * self.concurrency:
            wider = self._width + 1 if self._width >= 1 else self._width * 2
            self._width = min(wider, float(self._max_slots))
            self._successes = 0
            self._open_slots()

    def throttled(self, started_at: float) -> None:
        """Record that the host rejected a request, started at `started_at`, as one too many."""
        if started_at <= self._throttled_at:
            return  # it was already running when the concurrency was reduced
        self._throttled_at = self._clock.now()
        self._width = max(self._width / 2, _MIN_WIDTH)
        self._successes = self._timeouts = 0

    def timed_out(self, started_at: float) -> None:
        """Record that a request, started at `started_at`, got no complete response in time."""
        if started_at <= self._throttled_at:
            return
        self._timeouts += 1
        if self._timeouts >= CONSECUTIVE_TIMEOUTS:
            self.throttled(started_at)

    @asynccontextmanager
    async def slot(self, deadline: float = float("inf")) -> AsyncIterator[bool]:
        """Wait for a slot, its delay and the host's pause. Yields False at once if those end after `deadline`."""
        ready_at, in_time = await self._acquire(deadline)
        try:
            yield in_time
        finally:
            self._release(self._clock.now() + self._next_delay() if in_time else ready_at)

    async def _acquire(self, deadline: float) -> tuple[float, bool]:
        """A slot: when its delay ends, and whether that and the host's pause end before the deadline."""
        while True:
            ready_at = await self._ready_at.get()
            try:
                in_time = await self._wait(ready_at, deadline)
            except asyncio.CancelledError:
                self._release(ready_at)
                raise
            if not in_time or self._slots <= self.concurrency:
                return ready_at, in_time
            self._slots -= 1  # the concurrency was reduced meanwhile: drop this slot and wait for another

    async def _wait(self, ready_at: float, deadline: float) -> bool:
        while (start := max(ready_at, self._paused_until)) > (now := self._clock.now()):
            if start >= deadline:
                return False
            await self._clock.sleep(start - now)  # a pause may begin meanwhile: check again
        return now < deadline

    def _next_delay(self) -> float:
        delay = self._rng.uniform(*self._delay)
        return delay if self._width == self._max_slots else max(delay, THROTTLED_DELAY) / min(self._width, 1.0)

    def _release(self, ready_at: float) -> None:
        if self._slots > self.concurrency:
            self._slots -= 1
        else:
            self._ready_at.put_nowait(ready_at)

    def _open_slots(self) -> None:
        while self._slots < self.concurrency:
            self._slots += 1
            self._ready_at.put_nowait(float("-inf"))
