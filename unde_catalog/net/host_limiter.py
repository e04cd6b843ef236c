"""A gate before one host: so many requests at once, a pause between two requests of a slot (spec 1's manners).

When a host asks to be left alone, all of its slots wait. What counts as asking is `download.py`'s.
How many slots there are adapts to the host, as TCP's congestion control does (AIMD, additive increase and
multiplicative decrease): a refusal halves them, a row of good answers opens one more. One slot is left at least,
which rests longer and longer instead.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock

GOOD_ANSWERS = 5  # of each slot since the last change of pace, for one step back towards the full one
TIMEOUTS = 3  # in a row, that count as a refusal: a single one may be the photo's own
NARROWED_REST = 0.1  # seconds that a slot of a narrowed gate rests at least: without, one slot may ask 1,000 a second
_LEAST_WIDTH = 1 / 8  # of a slot: it rests eight times as long


class HostLimiter:
    """`slots` requests at once at most; a slot rests `delay_min` to `delay_max` seconds after each."""

    def __init__(
        self,
        slots: int,
        delay_min: float,
        delay_max: float,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> None:
        self._most = slots
        self._delay = (delay_min, delay_max)
        self._clock = clock
        self._rng = rng or random.Random()
        self._paused_until = self._narrowed_at = float("-inf")
        self._width = float(slots)
        self._good_answers = self._timeouts = 0
        self._slots = 0  # there are, free or taken: more than `at_once` until those above it come back
        self._rested_at: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()
        self._open_slots()

    @property
    def at_once(self) -> int:
        """How many requests may be under way at once, as the host has answered so far."""
        return max(1, int(self._width))

    def pause(self, until: float) -> None:
        """Let nobody in before `until` (in the clock's time)."""
        self._paused_until = max(self._paused_until, until)

    def answered(self) -> None:
        """The host answered as it should."""
        self._timeouts = 0
        self._good_answers += 1
        if self._width < self._most and self._good_answers >= GOOD_ANSWERS * self.at_once:
            wider = self._width + 1 if self._width >= 1 else self._width * 2
            self._width = min(wider, float(self._most))
            self._good_answers = 0
            self._open_slots()

    def refused(self, began: float) -> None:
        """To a request begun at `began` the host said that it is too much."""
        if began <= self._narrowed_at:
            return  # it was under way when the gate was narrowed: no news
        self._narrowed_at = self._clock.now()
        self._width = max(self._width / 2, _LEAST_WIDTH)
        self._good_answers = self._timeouts = 0

    def timed_out(self, began: float) -> None:
        """A request begun at `began` got no whole answer in its time."""
        if began <= self._narrowed_at:
            return
        self._timeouts += 1
        if self._timeouts >= TIMEOUTS:
            self.refused(began)

    @asynccontextmanager
    async def slot(self, deadline: float = float("inf")) -> AsyncIterator[bool]:
        """Wait for a slot, its rest and the host's pause; False, without waiting longer, if that is over too late."""
        rested_at, in_time = await self._take(deadline)
        try:
            yield in_time
        finally:
            self._give_back(self._clock.now() + self._rest() if in_time else rested_at)

    async def _take(self, deadline: float) -> tuple[float, bool]:
        """A slot: until when it had to rest, and whether that and the host's pause were over in time."""
        while True:
            rested_at = await self._rested_at.get()
            try:
                in_time = await self._wait(rested_at, deadline)
            except asyncio.CancelledError:
                self._give_back(rested_at)
                raise
            if not in_time or self._slots <= self.at_once:
                return rested_at, in_time
            self._slots -= 1  # one too many since the gate was narrowed: wait for another

    async def _wait(self, rested_at: float, deadline: float) -> bool:
        while (begins := max(rested_at, self._paused_until)) > (now := self._clock.now()):
            if begins >= deadline:
                return False
            await self._clock.sleep(begins - now)  # the host may be paused meanwhile: look again
        return now < deadline

    def _rest(self) -> float:
        rest = self._rng.uniform(*self._delay)
        return rest if self._width == self._most else max(rest, NARROWED_REST) / min(self._width, 1.0)

    def _give_back(self, rested_at: float) -> None:
        if self._slots > self.at_once:
            self._slots -= 1
        else:
            self._rested_at.put_nowait(rested_at)

    def _open_slots(self) -> None:
        while self._slots < self.at_once:
            self._slots += 1
            self._rested_at.put_nowait(float("-inf"))
