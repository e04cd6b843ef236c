"""Worker processes of recurring work, told minute by minute what time it is: `python -m` this module is one of them.

Each runs the real loop, an interval a run, as the clock does; sleeping is to say `through` and to wait for the next
line. A line `die handle` (or `load`, `record`) lets it kill itself there while it has something in hand.
"""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from unde_catalog.net.clock import Clock
from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.staging.due_work import spreading
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.worker.handler import Outcome, done
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import BRAND, Toy, ToyStage, execute
from unde_catalog_tests.support.servers import PROJECT
from unde_catalog_tests.support.simulated_time import SimulatedTime

STAGE = "availability"
BEGIN = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
LEASE_MINUTES = 5
MINUTE = timedelta(minutes=1)


class Minutes:
    """The time as a worker is told it."""

    def __init__(self) -> None:
        self.passed = 0
        self.dies_in = ""

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.passed * 60.0, sleep=self._sleep)

    def is_reached(self, where: str) -> None:
        """Dies here, if that is what it was told."""
        if self.dies_in == where:
            os.kill(os.getpid(), signal.SIGKILL)

    async def _sleep(self, seconds: float) -> None:
        print("through", flush=True)
        told = sys.stdin.readline().split()  # blocks the loop, in which nothing is left to do
        if not told:
            os._exit(0)
        self.passed += 1
        self.dies_in = told[1] if told[0] == "die" else ""


class Checks(ToyStage):
    """Writes down who checked what in which minute, and apart from that which of it counted."""

    stage = STAGE
    poll_interval = 60.0
    interval: timedelta | None

    def __init__(self, name: str, db: Database, interval: timedelta, minutes: Minutes) -> None:
        super().__init__(hands=2, batch=50, take_limit=100, lease=LEASE_MINUTES * 60)
        self.interval = interval
        self._name, self._db, self._minutes = name, db, minutes

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[Toy]:
        self._minutes.is_reached("load")
        return [Toy(lease, None) for lease in leases]

    async def handle(self, work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        self._db.run(_write_down, "checked", [one.lease for one in work], self._name)
        self._minutes.is_reached("handle")
        for one in work:
            yield done(one.lease)

    def record(self, cursor: Cursor, outcomes: Any) -> None:
        _write_down(cursor, "counted", [outcome.lease_outcome.lease for outcome, _ in outcomes], self._name)
        self._minutes.is_reached("record")


def _write_down(cursor: Cursor, table: str, leases: Sequence[Lease], worker: str) -> None:
    cursor.execute(
        f"INSERT INTO {table} SELECT id, token, %s, (SELECT now_is FROM test_clock)"
        " FROM unnest(%s::bigint[], %s::text[]) AS t (id, token)".encode(),
        (worker, [one.product_id for one in leases], [one.token for one in leases]),
    )


class Crew:
    """So many workers on a brand, from minute to minute of a simulated time."""

    def __init__(self, db: Database, direct_url: str, interval: timedelta, count: int) -> None:
        for table in ("checked", "counted"):
            execute(db, f"CREATE TABLE {table} (product_id bigint, token text, worker text, at timestamptz)")
        self._url, self._interval = db.url, interval
        self.time = SimulatedTime(direct_url, BEGIN)
        self.killed: list[str] = []
        self._hired = 0
        self._workers = [self._hire() for _ in range(count)]
        self._all_are_through()

    def work(self, minutes: int, dies: dict[int, str] | None = None) -> None:
        """Let minutes pass, each when all are through with the one before; one dies in minute n there, and is replaced.

        A minute's work is done at its end.
        """
        for minute in range(minutes):
            self.time.advance(60)
            where = (dies or {}).get(minute)
            for n, one in enumerate(self._workers):
                assert one.stdin is not None
                one.stdin.write(f"die {where}\n" if where and n == 0 else "go\n")
                one.stdin.flush()
                if where and n == 0:  # it gets the whole of the minute's work, so that it comes to that
                    one.wait(60)
                    self.killed.append(self._name(one))
            if where:
                self._workers = [*self._workers[1:], self._hire()]
            self._all_are_through()

    def end(self) -> None:
        """Send all home."""
        for one in self._workers:
            one.kill()
            one.communicate()
        self.time.close()

    def _hire(self) -> subprocess.Popen[str]:
        self._hired += 1
        task = json.dumps([self._url, f"w{self._hired}", self._interval.total_seconds()])
        command = [sys.executable, "-m", "unde_catalog_tests.support.minute_workers", task]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)

    def _name(self, process: subprocess.Popen[str]) -> str:
        return json.loads(process.args[-1])[1]  # type: ignore[index]

    def _all_are_through(self) -> None:
        for one in self._workers:
            assert one.stdout is not None
            said = one.stdout.readline()
            assert said == "through\n", f"{self._name(one)} said {said!r}"


def main(url: str, name: str, seconds: float) -> None:
    """Run after run, each as long as an interval and begun with the initialisation."""
    interval, minutes = timedelta(seconds=seconds), Minutes()
    with Database(url) as db, Database(url) as log:
        while True:
            spreading.spread(db, STAGE, BRAND, interval)
            handler = Checks(name, log, interval, minutes)
            options = RunOptions(poll_minutes=interval / MINUTE)
            run_worker(handler, db, BRAND, options, logging.getLogger(), clock=minutes.clock)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
