"""The one loop under all stages: take what is due, hand it to the stage's handler, write outcomes, go on.

No handler knows of leases running out, retries, counting or logs; no knowledge of any particular stage is here.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.stores.db.database import Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import StorageUnavailable
from unde_catalog.stores.staging.due_work import pauses, requeue, work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.worker.handler import AbortStage, Handler, OnStored, PauseStage, Recurring, StageStopped
from unde_catalog.worker.ledger import GROUP_SECONDS, HandlerBroken, Ledger
from unde_catalog.worker.report import RunOptions, StageReport
from unde_catalog.worker.shutdown import HandlerThreads, sigterm_cancels

_PROGRESS_SECONDS = 10.0
_THREADS_SECONDS = 8.0  # what a handler's threads get to end when the stage does; a container's SIGTERM gives 10

_T = TypeVar("_T")


class UnknownProducts(ValueError):
    """A run is asked for products that are not there; names them."""


def run_worker(
    handler: Handler[Any],
    db: Database,
    brand: str,
    options: RunOptions,
    log: logging.Logger,
    keep: OnStored | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> StageReport:
    """Work off what is due for a stage in a brand; `keep` is told what was stored, a test brings `clock`.

    `StageStopped` when something stands in the way of all of it; `UnknownProducts` for ids that nobody knows.
    """
    report = StageReport(handler.stage, brand)
    try:
        only = apply_run_options(handler.stage, db, brand, options)
        asyncio.run(_Loop(db, options, only, Ledger(handler, db, report, log, keep), clock).run())
    except (AbortStage, StorageUnavailable, DatabaseUnavailable, HandlerBroken) as cause:
        raise StageStopped(report, cause) from cause
    return report


def apply_run_options(stage: str, db: Database, brand: str, options: RunOptions) -> list[int] | None:
    """The products that the run is for, None for all, after what it asks for is marked as due."""
    only = None
    if options.product_ids is not None:
        known = db.run(requeue.product_ids_of, brand, options.product_ids)
        unknown = [one for one in options.product_ids if one not in known]
        if unknown:
            raise UnknownProducts(
                f"{brand} has no product {', '.join(unknown)}: product_ids wants ids as in external_id"
            )
        only = list(known.values())
    if options.force:
        db.run(requeue.force, stage, brand, options.root_run, only)
    elif options.retry_failed:
        db.run(requeue.retry_failed, stage, brand, options.root_run, only)
    return only


class _Loop:
    """One run. All it does in the database happens in one thread, in order, and to its end also when cancelled."""

    def __init__(self, db: Database, options: RunOptions, only: list[int] | None, ledger: Ledger, clock: Clock) -> None:
        self.db, self.options, self.only, self.ledger, self.clock = db, options, only, ledger, clock
        self.handler, self.report, self.log = ledger.handler, ledger.report, ledger.log
        self.stage, self.brand = self.report.stage, self.report.brand
        self._taken = 0
        self._db_thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.stage}-db")
        self._threads = HandlerThreads(thread_name_prefix=self.stage)

    async def run(self) -> None:
        """Until nothing is due, or the limit or the time is reached, or something stops the stage."""
        asyncio.get_running_loop().set_default_executor(self._threads)
        try:
            with sigterm_cancels():
                async with self.handler:
                    await self._work_off()
        finally:
            self._db_thread.shutdown()

    async def _work_off(self) -> None:
        started = last_told = time.monotonic()
        stays_until = self.clock.now() + (self.options.poll_minutes or 0) * 60
        calls: set[asyncio.Task[None]] = set()
        try:
            due = (await self._in_db(self._still_open)).due
            while True:
                if self._may_begin(started):
                    calls |= await self._begin(self.handler.concurrency - len(calls))
                if not calls and self.ledger.written:
                    if not self._may_begin(started) or not await self._stay(stays_until):
                        break
                    found = (await self._in_db(self._look)).due
                    self.log.info("%s %s: found %d due", self.stage, self.brand, found)
                    due += found
                    continue
                if not calls:
                    await self._write()  # and look again: what changed meanwhile is still due
                    continue
                ended, calls = await asyncio.wait(calls, timeout=GROUP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for call in ended:
                    call.result()  # an error of the loop itself must not pass unseen
                await self._write(only_if_ripe=True)
                self.report.seconds = time.monotonic() - started
                if time.monotonic() - last_told >= _PROGRESS_SECONDS:
                    last_told = time.monotonic()
                    self._tell(max(due - self.report.handled, 0))
        finally:
            await self._let_go(calls)
            self.report.seconds = time.monotonic() - started
        if isinstance(self.ledger.cause, PauseStage):
            self.report.note = str(self.ledger.cause)
        elif self.ledger.cause is not None:
            raise self.ledger.cause
        open_work = await self._in_db(self._still_open)
        self.report.still_due, self.report.leased_elsewhere = open_work.due, open_work.leased

    async def _stay(self, until: float) -> bool:
        """Wait for what comes due, where work recurs; False when it is time to end."""
        left = until - self.clock.now()
        may_take_more = self.options.limit is None or self._taken < self.options.limit
        if not isinstance(self.handler, Recurring) or left <= 0 or not may_take_more:
            return False
        await self.clock.sleep(min(self.handler.poll_interval, left))
        return True

    async def _in_db(self, work: Callable[..., _T], *args: Any) -> _T:
        future = asyncio.get_running_loop().run_in_executor(self._db_thread, work, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})  # what was taken or written must be known before the rest is handed back
            raise

    def _still_open(self) -> work_queue.OpenWork:
        self.db.run(work_queue.repair_times, self.stage, self.brand, self.handler.lease, self.handler.interval)
        return self._look()

    def _look(self) -> work_queue.OpenWork:
        return self.db.run(work_queue.count_open, self.stage, self.brand, self.only)

    def _may_begin(self, started: float) -> bool:
        minutes = self.options.max_minutes
        in_time = minutes is None or time.monotonic() - started < minutes * 60
        return in_time and self.ledger.cause is None

    async def _begin(self, free_hands: int) -> set[asyncio.Task[None]]:
        most = min(free_hands * self.handler.batch, self.handler.take_limit)
        if self.options.limit is not None:
            most = min(most, self.options.limit - self._taken)
        if most <= 0:
            return set()
        work = await self._in_db(self._take, most)
        size = self.handler.batch
        return {asyncio.create_task(self._call(work[i : i + size])) for i in range(0, len(work), size)}

    def _take(self, most: int) -> Sequence[Any]:
        if why := self.db.run(pauses.paused, self.stage, self.brand):
            self.ledger.cause = self.ledger.cause or PauseStage(why)
            return []
        leases = self.db.run(
            work_queue.take, self.stage, self.brand, most, self.handler.lease, self.only, self.ledger.went_back
        )
        self.ledger.open.update((lease.product_id, lease) for lease in leases)
        self._taken += len(leases)
        return self._load(leases) if leases else []

    def _load(self, leases: Sequence[Lease]) -> Sequence[Any]:
        """What the handler needs; products that can't be loaded are settled as that, alone."""
        try:
            work = self.db.run(self.handler.load, leases)
            loaded = {one.lease.product_id for one in work}
            if missing := [lease.external_id for lease in leases if lease.product_id not in loaded]:
                raise LookupError(f"load did not answer for {', '.join(missing)}")
            return work
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(leases) > 1:
                return [one for lease in leases for one in self._load([lease])]
            self.ledger.fail(leases[0], error)
            return []

    async def _call(self, work: Sequence[Any]) -> None:
        waiting = {one.lease.product_id: one for one in work}
        try:
            async for outcome in self.handler.handle(work):
                if waiting.pop(outcome.settled.lease.product_id, None) is None:
                    raise LookupError(f"a second outcome for {outcome.settled.lease.external_id}, or not in this call")
                self.ledger.settle(outcome)
            if waiting:
                raise LookupError(f"no outcome for {', '.join(one.lease.external_id for one in waiting.values())}")
        except (AbortStage, StorageUnavailable, DatabaseUnavailable) as cause:
            self.ledger.cause = self.ledger.cause or cause
        except Exception as error:
            if len(work) > 1:
                for one in list(waiting.values()):  # alone, so that only the one it is about pays for it
                    if self.ledger.cause is None:
                        await self._call([one])
            else:
                self.ledger.fail(work[0].lease, error, settled=not waiting)

    async def _write(self, *, only_if_ripe: bool = False) -> None:
        while not self.ledger.written and (self.ledger.is_ripe() or not only_if_ripe):
            await self._in_db(self.ledger.write)

    async def _let_go(self, calls: set[asyncio.Task[None]]) -> None:
        """Write what is settled and give back the rest, so that nobody waits for our leases to run out."""
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        if self.ledger.open:
            await self._in_db(self._release)

    def _release(self) -> None:
        idle = self._threads.wait_until_idle(_THREADS_SECONDS)
        left = self.ledger.open
        try:
            try:
                while not self.ledger.written:
                    self.ledger.write()
            except DatabaseUnavailable as error:
                if not error.refused:
                    raise
                # Outcomes can't be written, but leases perhaps: what was done is found again by the objects.
            if idle:
                self.ledger.release()
            else:  # what they are about to store must not come after another worker's
                self.log.warning("%d products stay leased: a thread still works on them", len(left))
        except DatabaseUnavailable as error:
            self.log.warning("%d products could not be handed back, their leases run out: %s", len(left), error)

    def _tell(self, left: int) -> None:
        report = self.report
        eta = f", about {timedelta(seconds=round(left / report.per_second))} to go" if report.per_second else ""
        self.log.info(
            "%s %s: %d done, %d failed, %.1f a second, %d left%s",
            report.stage, report.brand, report.done, report.failed, report.per_second, left, eta,
        )  # fmt: skip
