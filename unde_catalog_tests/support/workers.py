"""A worker process of the toy stage, run as `python -m` with its task as JSON.

It prints `holding <external id>` when it has leased a product, and its report as JSON when it ends, with the message
it stopped with.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.objects.directory import directory_store
from unde_catalog.worker.handler import Outcome, StageStopped, done, released
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import RunOptions
from unde_catalog_tests.support.due import BRAND, Toy, ToyStage, execute
from unde_catalog_tests.support.servers import PROJECT

UPLOAD_SECONDS = 0.3  # an upload must not begin with less time than this left on the lease


class Interrupted(BaseException):
    """Raised by a signal handler, as an engine's handler does."""


class Worker(ToyStage):
    """Records which worker handled a product, stores an object, and writes the worker's name to the product's row."""

    def __init__(self, name: str, url: str, folder: str | None, waits: bool, **options: Any) -> None:
        super().__init__(**options)
        self.name, self.waits = name, waits
        self._log = Database(url)  # outside the stage's transactions
        self._store = directory_store(Path(folder)) if folder else None

    async def handle(self, work: Sequence[Toy]) -> AsyncIterator[Outcome]:
        for one in work:
            yield await asyncio.to_thread(self._one, one)

    def record(self, cursor: Cursor, outcomes: Any) -> None:
        ids = [
            outcome.lease_outcome.lease.product_id for outcome, _ in outcomes if outcome.lease_outcome.kind == "done"
        ]
        cursor.execute("UPDATE raw_products SET name = %s WHERE id = ANY(%s)", (self.name, ids))

    def _one(self, one: Toy) -> Outcome:
        execute(self._log, "INSERT INTO handled VALUES (%s, %s)", one.lease.product_id, self.name)
        if self.waits:
            print(f"holding {one.lease.external_id}", flush=True)
            os.read(0, 1)
        if self._store is not None:
            if one.lease.seconds_left() <= UPLOAD_SECONDS:
                return released(one.lease)
            self._store.put(f"toys/{one.lease.external_id}", self.name.encode(), "text/plain")
        return done(one.lease)


def prepare(db: Database) -> None:
    """Create the table in which workers record the products they handle."""
    with db.transaction() as cursor:
        cursor.execute("CREATE TABLE handled (product_id bigint, worker text)")


@contextmanager
def worker(url: str, name: str, **task: Any) -> Iterator[subprocess.Popen[str]]:
    """A running worker; killed if it outlives the block. `task`: folder, waits, raises, and ToyStage's options."""
    command = [sys.executable, "-m", "unde_catalog_tests.support.workers", url, name, json.dumps(task)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def report_of(process: subprocess.Popen[str], say: str = "", seconds: float = 30) -> dict[str, Any]:
    """Send `say` to the worker, wait for its end, and read its report."""
    out, _ = process.communicate(say, timeout=seconds)
    return json.loads(out.strip().rpartition("\n")[2])


def main(url: str, name: str, task: dict[str, Any]) -> int:
    """Process due products."""

    def interrupted(*_: object) -> NoReturn:
        raise Interrupted

    if task.pop("raises", False):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupted)
    handler = Worker(name, url, task.pop("folder", None), task.pop("waits", False), **task)
    sentence = None
    with Database(url) as db:
        try:
            report = run_worker(handler, db, BRAND, RunOptions(), logging.getLogger())
        except StageStopped as stopped:
            report, sentence = stopped.report, str(stopped)
    print(json.dumps({**report.as_dict(), "stopped": sentence}), flush=True)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    sys.stdout.flush()
    os._exit(code)  # without waiting for a thread that reads its stdin
