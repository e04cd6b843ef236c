"""A gate before one host: so many requests at once, a pause between two requests of a slot (spec 1's manners).

When a host asks to be left alone, all of its slots wait. What counts as asking is `download.py`'s.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unde_catalog.net.waiting import REAL, Waiting


class Gate:
    """`slots` requests at once; a slot rests `delay_min` to `delay_max` seconds after each."""

    def __init__(
        self,
        slots: int,
        delay_min: float,
        delay_max: float,
        *,
        waiting: Waiting = REAL,
        rng: random.Random | None = None,
    ) -> None:
        self._delay = (delay_min, delay_max)
        self._waiting = waiting
        self._rng = rng or random.Random()
        self._paused_until = float("-inf")
        self._rested_at: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()
        for _ in range(slots):
            self._rested_at.put_nowait(float("-inf"))

    def pause(self, until: float) -> None:
        """Let nobody in before `until` (in the clock's time)."""
        self._paused_until = max(self._paused_until, until)

    @asynccontextmanager
    async def slot(self, deadline: float = float("inf")) -> AsyncIterator[bool]:
        """Wait for a slot, its rest and the host's pause; False, without waiting longer, if that is over too late."""
        rested_at = await self._rested_at.get()
        try:
            in_time = await self._wait(rested_at, deadline)
            try:
                yield in_time
            finally:
                if in_time:
                    rested_at = self._waiting.now() + self._rng.uniform(*self._delay)
        finally:
            self._rested_at.put_nowait(rested_at)

    async def _wait(self, rested_at: float, deadline: float) -> bool:
        while (begins := max(rested_at, self._paused_until)) > (now := self._waiting.now()):
            if begins >= deadline:
                return False
            await self._waiting.sleep(begins - now)  # the host may be paused meanwhile: look again
        return now < deadline
