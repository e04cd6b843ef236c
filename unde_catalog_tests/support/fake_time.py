"""A fake clock for tests, which sleeping advances without real delay."""

import asyncio
from dataclasses import dataclass, field

from unde_catalog.net.clock import Clock


@dataclass(slots=True)
class FakeTime:
    """A clock that records its delays."""

    time: float = 1_000.0
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep, wall=lambda: 1_700_000_000.0 + self.time)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)
