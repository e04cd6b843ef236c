"""A gate before one host: so many requests at once, and a pause between two requests of a slot (spec 1's manners)."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """`slots` requests at once; a slot rests `delay_min` to `delay_max` seconds after each."""

    def __init__(self, slots: int, delay_min: float, delay_max: float, rng: random.Random | None = None) -> None:
        self._delay = (delay_min, delay_max)
        self._rng = rng or random.Random()
        self._rested_at: asyncio.PriorityQueue[float] = asyncio.PriorityQueue()
        for _ in range(slots):
            self._rested_at.put_nowait(0.0)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and for its rest to be over."""
        clock = asyncio.get_running_loop().time
        rested_at = await self._rested_at.get()
        try:
            await asyncio.sleep(max(0.0, rested_at - clock()))
            try:
                yield
            finally:
                rested_at = clock() + self._rng.uniform(*self._delay)
        finally:
            self._rested_at.put_nowait(rested_at)
