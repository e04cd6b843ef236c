"""Simulated time of a test's database: unde_now() reads a table, so that all processes see the same time.

Sleeping on `clock` advances it; no real time passes.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from unde_catalog.net.clock import Clock

_INSTALL = """
CREATE TABLE IF NOT EXISTS test_clock (now_is timestamptz NOT NULL);
TRUNCATE test_clock;
INSERT INTO test_clock VALUES ('{begin}');
GRANT SELECT ON test_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION unde_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT now_is FROM test_clock $$;
"""


class SimulatedTime:
    """The clock of a database. `direct_url` is its URL as administrator, past any pooler."""

    def __init__(self, direct_url: str, begin: datetime) -> None:
        self._connection = psycopg.connect(direct_url, autocommit=True)
        self._connection.execute(_INSTALL.format(begin=begin.isoformat()).encode())
        self.begin, self._seconds = begin, 0.0
        self.slept: list[float] = []

    @property
    def now(self) -> datetime:
        return self.begin + timedelta(seconds=self._seconds)

    def set(self, moment: datetime) -> None:
        """Set the time."""
        self._seconds = (moment - self.begin).total_seconds()
        self._connection.execute("UPDATE test_clock SET now_is = %s", (moment,))

    def advance(self, seconds: float) -> None:
        self.set(self.now + timedelta(seconds=seconds))

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self._seconds, sleep=self._sleep, wall=lambda: self.now.timestamp())

    def close(self) -> None:
        self._connection.close()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        if until > self.now:
            self.set(until)


class SharedTime(SimulatedTime):
    """Simulated time for runs in several threads. It advances only while all of them sleep.

    `passed` is called with every new time before any thread wakes.
    """

    def __init__(self, direct_url: str, begin: datetime, passed: Callable[[datetime], None]) -> None:
        super().__init__(direct_url, begin)
        self._passed = passed
        self._turn = threading.Condition()
        self._runs: set[int] = set()
        self._sleepers: list[_Sleeper] = []

    def start(self, run: Callable[[], None]) -> None:
        """Start a run in its own thread."""

        def work() -> None:
            try:
                run()
            finally:
                with self._turn:
                    self._runs.discard(threading.get_ident())
                    self._turn.notify_all()

        thread = threading.Thread(target=work)
        with self._turn:
            thread.start()
            assert thread.ident is not None  # the thread has started
            self._runs.add(thread.ident)

    def pass_until(self, moment: datetime) -> None:
        """Let time pass from sleeper to sleeper. Returns when all threads sleep again or have ended."""
        until = (moment - self.begin).total_seconds()
        while (sleeper := self._first_to_wake(until)) is not None:
            if sleeper.until > self._seconds:
                self._set(sleeper.until)
            sleeper.wake()
        self._set(until)

    async def _sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        sleeper = _Sleeper(self._seconds + seconds, threading.get_ident(), loop, loop.create_future())
        with self._turn:
            self._sleepers.append(sleeper)
            self._turn.notify_all()
        try:
            await sleeper.future
        finally:
            with self._turn:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)

    def _first_to_wake(self, until: float) -> "_Sleeper | None":
        with self._turn:
            while not self._runs <= {sleeper.run for sleeper in self._sleepers}:
                self._turn.wait()
            first = min(self._sleepers, key=lambda sleeper: sleeper.until, default=None)
            if first is None or first.until > until:
                return None
            self._sleepers.remove(first)
            return first

    def _set(self, seconds: float) -> None:
        moment = self.begin + timedelta(seconds=seconds)
        self._passed(moment)
        self.set(moment)


@dataclass(frozen=True, slots=True)
class _Sleeper:
    """A sleeping coroutine of a run, identified by its thread. Times are seconds since the beginning."""

    until: float
    run: int
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"

    def wake(self) -> None:
        self.loop.call_soon_threadsafe(lambda: self.future.done() or self.future.set_result(None))
