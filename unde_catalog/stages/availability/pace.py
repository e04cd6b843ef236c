"""How fast and how many at once a shop's host is asked: evenly, slower in its distress, and faster again by itself.

The bounds are spec 5's figures. The state is a row of the staging database, shared by all processes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unde_catalog.net.clock import Clock
from unde_catalog.stages.availability.shop_api import NoResponse
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_pace
from unde_catalog.stores.staging.due_work.host_pace import RequestSlot
from unde_catalog.worker.handler import AbortStage

# Spec 5: usual, in the host's distress, and where answers are so slow that the usual number can't keep up.
AT_ONCE, AT_ONCE_SLOWED, AT_ONCE_BEHIND = 15, 10, 20
LOOK_AGAIN, LOOK_AGAIN_SLOWED, LOOK_AGAIN_BEHIND = 30.0, 60.0, 20.0  # seconds
_MOST_IN_VAIN = 5  # so many requests in a row at the slowest pace, and the host is left alone until the next run


class HostPace:
    """The pace towards one host; `gap` seconds between two requests at ease."""

    def __init__(self, db: Database, host: str, gap: float, clock: Clock) -> None:
        self._db, self.host, self._gap, self._clock = db, host, gap, clock
        self._pause = 0.0  # the host's, as last seen
        self._asking = 0
        self._in_vain = 0

    @property
    def at_once(self) -> int:
        """How many products may be in hand at once."""
        if self._pause:
            return AT_ONCE_SLOWED
        return AT_ONCE_BEHIND if self._asking >= AT_ONCE else AT_ONCE

    @property
    def poll_interval(self) -> float:
        """Seconds after which to look for what came due."""
        if self._pause:
            return LOOK_AGAIN_SLOWED
        return LOOK_AGAIN_BEHIND if self._asking >= AT_ONCE else LOOK_AGAIN

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[RequestSlot]:
        """Wait until a request may be sent; while it is under way it counts."""
        turn = await asyncio.to_thread(self._db.run, host_pace.next_slot, self.host, self._gap)
        self._pause = turn.pause
        if turn.wait:
            await self._clock.sleep(turn.wait)
        self._asking += 1
        try:
            yield turn
        finally:
            self._asking -= 1

    async def told(self, turn: RequestSlot, answer: object) -> None:
        """Learn from an answer, or from its absence; `AbortStage` when the host has not answered for too long."""
        if isinstance(answer, NoResponse) and answer.distress:
            await asyncio.to_thread(self._db.run, host_pace.slow_down, self.host, answer.reason, turn, answer.rest)
            self._pause = max(self._pause, host_pace.FIRST_PAUSE)
            self._in_vain += turn.pause >= host_pace.LONGEST_PAUSE
            if self._in_vain >= _MOST_IN_VAIN:
                raise AbortStage(
                    f"the shops' API at {self.host} does not answer: {answer.reason} {answer.detail}".strip()
                    + "; the next run asks again, as slowly as it left off"
                )
            return
        self._in_vain = 0
        if turn.pause:
            await asyncio.to_thread(self._db.run, host_pace.speed_up, self.host)
