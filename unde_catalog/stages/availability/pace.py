"""The pace of requests to a stock API's host: even, slower while the host is in distress, then faster step by step.

The limits are in docs/reference/rules.md. The state is a row of the staging database, shared by all processes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from unde_catalog.net.clock import Clock
from unde_catalog.net.download import MAX_HOST_PAUSE
from unde_catalog.stages.availability.store_api import NoResponse
from unde_catalog.stores.db.database import Database
from unde_catalog.stores.staging.due_work import host_holds, host_pace
from unde_catalog.stores.staging.due_work.host_pace import RequestSlot
from unde_catalog.text import duration
from unde_catalog.worker.handler import AbortStage

# Usually; while the host is in distress; while responses are so slow that the usual concurrency can't keep up.
CONCURRENCY, CONCURRENCY_IN_DISTRESS, CONCURRENCY_BEHIND = 15, 10, 20
POLL_SECONDS, POLL_SECONDS_IN_DISTRESS, POLL_SECONDS_BEHIND = 30.0, 60.0, 20.0
_LONG_HOLD = host_pace.LONGEST_HOLD  # seconds: a stage does not wait longer, it stops until another run
_MAX_FAILURES = 5  # in a row at the slowest pace: then the stage stops until the next run


class HostPace:
    """The pace of requests to one host; `gap` is the usual time between two requests in seconds."""

    def __init__(self, db: Database, host: str, gap: float, clock: Clock) -> None:
        self._db, self.host, self._gap, self._clock = db, host, gap, clock
        self._pause = 0.0  # the host's, as last read
        self._in_flight = 0
        self._failures = 0

    @property
    def concurrency(self) -> int:
        """How many products may be handled at once."""
        if self._pause:
            return CONCURRENCY_IN_DISTRESS
        return CONCURRENCY_BEHIND if self._in_flight >= CONCURRENCY else CONCURRENCY

    @property
    def poll_interval(self) -> float:
        """Seconds between two polls for due products."""
        if self._pause:
            return POLL_SECONDS_IN_DISTRESS
        return POLL_SECONDS_BEHIND if self._in_flight >= CONCURRENCY else POLL_SECONDS

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[RequestSlot]:
        """Wait until a request may be sent, and count the request as in flight meanwhile."""
        if (seconds := (await asyncio.to_thread(self._db.run, host_holds.held)).get(self.host)) is not None:
            raise AbortStage(self._asked_for(seconds))
        slot = await asyncio.to_thread(self._db.run, host_pace.next_slot, self.host, self._gap)
        self._pause = slot.pause
        if slot.wait:
            await self._clock.sleep(slot.wait)
        self._in_flight += 1
        try:
            yield slot
        finally:
            self._in_flight -= 1

    async def record_response(self, slot: RequestSlot, response: object) -> None:
        """Adapt the pace to a response; raises `AbortStage` after too many failures at the slowest pace."""
        if isinstance(response, NoResponse) and response.distress:
            hold = response.retry_after
            await asyncio.to_thread(self._db.run, host_pace.slow_down, self.host, response.reason, slot, hold)
            if hold > _LONG_HOLD:
                hold = min(hold, MAX_HOST_PAUSE)
                await asyncio.to_thread(self._db.run, host_holds.hold, self.host, hold)
                raise AbortStage(self._asked_for(hold))
            self._pause = max(self._pause, host_pace.FIRST_PAUSE)
            self._failures += slot.pause >= host_pace.LONGEST_PAUSE
            if self._failures >= _MAX_FAILURES:
                raise AbortStage(
                    f"the stock API at {self.host} does not respond: {response.reason} {response.detail}".strip()
                    + "; the next run tries again at the same slow pace"
                )
            return
        self._failures = 0
        if slot.pause:
            await asyncio.to_thread(self._db.run, host_pace.speed_up, self.host)

    def _asked_for(self, seconds: float) -> str:
        return f"the stock API at {self.host} asked for no requests for another {duration(seconds)}; then a run goes on"
