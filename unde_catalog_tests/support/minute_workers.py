"""Worker processes of recurring work whose time passes minute by minute; `python -m` runs one of them.

Each runs the real loop, one run per interval. To sleep, it prints `through` and waits for the next line. A line
`die handle` (or `load`, `record`) makes it kill itself at that point while it holds leases.
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
    """The time of a worker, in minutes received on standard input."""

    def __init__(self) -> None:
        self.passed = 0
        self.die_at = ""

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.passed * 60.0, sleep=self._sleep)

    def die_if_reached(self, where: str) -> None:
        """Kill the process, if it was told to die here."""
        if self.die_at == where:
            os.kill(os.getpid(), signal.SIGKILL)

    async def _sleep(self, seconds: float) -> None:
        print("through", flush=True)
        words = sys.stdin.readline().split()  # blocks the event loop, which has nothing else to do
        if not words:
            os._exit(0)
        self.passed += 1
        self.die_at = words[1] if words[0] == "die" else ""


class CheckStage(ToyStage):
    """Records who checked which product in which minute, and which of these checks counted."""

    stage = STAGE
    poll_interval = 60.0
    interval: timedelta | None

    def __init__(self, name: str, db: Database, interval: timedelta, minutes: Minutes) -> None:
        super().__init__(concurrency=2, batch=50, take_limit=100, lease=LEASE_MINUTES * 60)
        self.interval = interval
        self._name, self._db, self._minutes = name, db, minutes

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[Toy]:
        self._minutes.die_if_reached("load")
        return [Toy(lease, None) for lease in leases]

    async def handle(self, work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        self._db.run(_record, "checked", [one.lease for one in work], self._name)
        self._minutes.die_if_reached("handle")
        for one in work:
            yield done(one.lease)

    def record(self, cursor: Cursor, outcomes: Any) -> None:
        _record(cursor, "counted", [outcome.lease_outcome.lease for outcome, _ in outcomes], self._name)
        self._minutes.die_if_reached("record")


def _record(cursor: Cursor, table: str, leases: Sequence[Lease], worker: str) -> None:
    cursor.execute(
        f"INSERT INTO {table} SELECT id, token, %s, (SELECT now_is FROM test_clock)"
        " FROM unnest(%s::bigint[], %s::text[]) AS t (id, token)".encode(),
        (worker, [one.product_id for one in leases], [one.token for one in leases]),
    )


class WorkerGroup:
    """Workers on one brand in simulated time."""

    def __init__(self, db: Database, direct_url: str, interval: timedelta, count: int) -> None:
        for table in ("checked", "counted"):
            execute(db, f"CREATE TABLE {table} (product_id bigint, token text, worker text, at timestamptz)")
        self._url, self._interval = db.url, interval
        self.time = SimulatedTime(direct_url, BEGIN)
        self.killed: list[str] = []
        self._started = 0
        # Once, as a brand has one run that spreads its work: several at once would each fill the same free slots.
        with Database(db.url) as now:
            spreading.spread(now, STAGE, BRAND, interval)
        self._workers = [self._start_worker() for _ in range(count)]
        self._wait_for_all()

    def work(self, minutes: int, dies: dict[int, str] | None = None) -> None:
        """Let minutes pass, each after all workers have finished the one before.

        In the minutes in `dies`, one worker dies at the given point and is replaced. A minute ends with its work.
        """
        for minute in range(minutes):
            self.time.advance(60)
            where = (dies or {}).get(minute)
            for n, one in enumerate(self._workers):
                assert one.stdin is not None
                one.stdin.write(f"die {where}\n" if where and n == 0 else "go\n")
                one.stdin.flush()
                if where and n == 0:  # it gets all work of the minute, so that it reaches that point
                    one.wait(60)
                    self.killed.append(self._name(one))
            if where:
                self._workers = [*self._workers[1:], self._start_worker()]
            self._wait_for_all()

    def end(self) -> None:
        """Stop all workers."""
        for one in self._workers:
            one.kill()
            one.communicate()
        self.time.close()

    def _start_worker(self) -> subprocess.Popen[str]:
        self._started += 1
        task = json.dumps([self._url, f"w{self._started}", self._interval.total_seconds()])
        command = [sys.executable, "-m", "unde_catalog_tests.support.minute_workers", task]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)

    def _name(self, process: subprocess.Popen[str]) -> str:
        return json.loads(process.args[-1])[1]  # type: ignore[index]

    def _wait_for_all(self) -> None:
        for one in self._workers:
            assert one.stdout is not None
            line = one.stdout.readline()
            assert line == "through\n", f"{self._name(one)} said {line!r}"


def main(url: str, name: str, seconds: float) -> None:
    """Run again and again, each time for one interval after spreading the work."""
    interval, minutes = timedelta(seconds=seconds), Minutes()
    with Database(url) as db, Database(url) as log:
        while True:
            spreading.spread(db, STAGE, BRAND, interval)
            handler = CheckStage(name, log, interval, minutes)
            options = RunOptions(poll_minutes=interval / MINUTE)
            run_worker(handler, db, BRAND, options, logging.getLogger(), clock=minutes.clock)


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
