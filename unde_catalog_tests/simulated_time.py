"""Simulated time of a test's own database: unde_now() reads a table, so that all processes see it pass at once.

Whoever sleeps by `waiting` lets it pass; no real time does.
"""

import asyncio
from datetime import datetime, timedelta

import psycopg

from unde_catalog.net.waiting import Waiting

_INSTALL = """
CREATE TABLE IF NOT EXISTS test_clock (now_is timestamptz NOT NULL);
TRUNCATE test_clock;
INSERT INTO test_clock VALUES ('{begin}');
GRANT SELECT ON test_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION unde_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT now_is FROM test_clock $$;
"""


class SimulatedTime:
    """The clock of a database; `direct_url` leads to it as its administrator, past any pooler."""

    def __init__(self, direct_url: str, begin: datetime) -> None:
        self._connection = psycopg.connect(direct_url, autocommit=True)
        self._connection.execute(_INSTALL.format(begin=begin.isoformat()).encode())
        self.begin, self._seconds = begin, 0.0
        self.slept: list[float] = []

    @property
    def now(self) -> datetime:
        return self.begin + timedelta(seconds=self._seconds)

    def set(self, moment: datetime) -> None:
        """It is that time now."""
        self._seconds = (moment - self.begin).total_seconds()
        self._connection.execute("UPDATE test_clock SET now_is = %s", (moment,))

    def advance(self, seconds: float) -> None:
        self.set(self.now + timedelta(seconds=seconds))

    @property
    def waiting(self) -> Waiting:
        return Waiting(now=lambda: self._seconds, sleep=self._sleep, wall=lambda: self.now.timestamp())

    def close(self) -> None:
        self._connection.close()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.now + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        if until > self.now:
            self.set(until)
