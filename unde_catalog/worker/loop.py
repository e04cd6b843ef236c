"""The one loop of all stages: lease due products, let the stage's handler work on them, write the outcomes, repeat.

Leases, retries, counts and logs are handled here and in `ledger.py`; nothing here depends on a particular stage.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
_THREADS_SECONDS = 8.0  # for a handler's threads to end when the stage does; containers are killed 10 s after SIGTERM
_STOPS = (AbortStage, StorageUnavailable, DatabaseUnavailable, HandlerBroken)  # no product's fault: the stage stops

_T = TypeVar("_T")


class UnknownProducts(ValueError):
    """The run is limited to products that do not exist; the message names them."""


def run_worker(
    handler: Handler[Any],
    db: Database,
    brand: str,
    options: RunOptions,
    log: logging.Logger,
    on_stored: OnStored | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> StageReport:
    """Work through what is due for a stage in a brand; `on_stored` receives the objects that the run stored.

    `StageStopped` when something prevents all of the work; `UnknownProducts` for external ids that do not exist.
    """
    report = StageReport(handler.stage, brand)
    try:
        only = apply_run_options(handler.stage, db, brand, options)
        asyncio.run(_Loop(db, options, only, Ledger(handler, db, report, log, on_stored), clock).run())
    except _STOPS as cause:
        raise StageStopped(report, cause) from cause
    return report


def apply_run_options(stage: str, db: Database, brand: str, options: RunOptions) -> list[int] | None:
    """Make due what `force` or `retry_failed` says. Returns the ids of the products to work on, None for all."""
    only = None if options.product_ids is None else known_products(db, brand, options.product_ids)
    if options.force:
        db.run(requeue.force, stage, brand, options.root_run, only)
    elif options.retry_failed:
        db.run(requeue.retry_failed, stage, brand, options.root_run, only)
    return only


def known_products(db: Database, brand: str, external_ids: Sequence[str]) -> list[int]:
    """The ids of these products of a brand; `UnknownProducts` names those that do not exist."""
    known = db.run(requeue.product_ids_of, brand, external_ids)
    if unknown := [one for one in external_ids if one not in known]:
        raise UnknownProducts(f"{brand} has no product {', '.join(unknown)}: product_ids takes external ids")
    return list(known.values())


@dataclass(frozen=True, slots=True)
class _Unexpected:
    """An unexpected error of a call for one product; `settled`: after the product's outcome was yielded."""

    lease: Lease
    error: Exception
    settled: bool


_Call = asyncio.Task[list[_Unexpected]]


class _Loop:
    """One run. Its database work runs in one thread, in order, and to the end even if the run is canceled."""

    def __init__(self, db: Database, options: RunOptions, only: list[int] | None, ledger: Ledger, clock: Clock) -> None:
        self.db, self.options, self.only, self.ledger, self.clock = db, options, only, ledger, clock
        self.handler, self.report, self.log = ledger.handler, ledger.report, ledger.log
        self.stage, self.brand = self.report.stage, self.report.brand
        self._calls: list[_Call] = []
        self._due = 0  # products that were due at the start, or came due since
        self._leased = 0
        self._started = self._progress_at = self._poll_until = 0.0
        self._db_thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.stage}-db")
        self._threads = HandlerThreads(thread_name_prefix=self.stage)

    async def run(self) -> None:
        """Run until nothing is due, the limit or the time is reached, or something stops the stage."""
        asyncio.get_running_loop().set_default_executor(self._threads)
        try:
            with sigterm_cancels():
                async with self.handler:
                    await self._work()
        finally:
            self._db_thread.shutdown()

    async def _work(self) -> None:
        self._started = self._progress_at = time.monotonic()
        self._poll_until = self.clock.now() + (self.options.poll_minutes or 0) * 60
        try:
            self._due = (await self._in_db(self._repair_and_count)).due
            await self._work_until_nothing_is_due()
        except _STOPS as cause:
            while self._calls:  # a call that has begun comes to its end
                await self._drain(stopping=True)
            await self._in_db(self._write)
            if not isinstance(cause, PauseStage):
                raise
            self.report.note = str(cause)
        finally:
            await self._finish()
            self.report.seconds = time.monotonic() - self._started
        open_work = await self._in_db(self._repair_and_count)
        self.report.still_due, self.report.leased_elsewhere = open_work.due, open_work.leased

    async def _work_until_nothing_is_due(self) -> None:
        while True:
            while await self._refill():
                await self._drain()
                self._log_progress()
            if not await self._wait_for_due_work():
                return

    async def _refill(self) -> bool:
        """Start calls until every slot is in use or nothing is due; whether any call is running."""
        await self._start_calls()
        if not self._calls and not self.ledger.all_written:
            await self._in_db(self._write)
            await self._start_calls()  # a product that changed while it was leased is due again now
        return bool(self._calls)

    async def _start_calls(self) -> None:
        self.ledger.check()
        size = self.handler.batch
        number = min((self.handler.concurrency - len(self._calls)) * size, self.handler.take_limit, self._leases_left)
        if number > 0 and self._in_time:
            work = await self._in_db(self._take, number)
            self._calls += [asyncio.create_task(self._call(work[i : i + size])) for i in range(0, len(work), size)]

    async def _drain(self, *, stopping: bool = False) -> None:
        """Wait until a call ends or a group of outcomes is ripe, write what is ripe, and collect the calls that ended.

        Raises the error of a call that stops the stage; not while the stage is `stopping`, and then unexpected errors
        do not count against products.
        """
        await asyncio.wait(self._calls, timeout=GROUP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        while self.ledger.group_is_ripe():
            await self._in_db(self.ledger.write)
        ended = [call for call in self._calls if call.done()]
        self._calls = [call for call in self._calls if call not in ended]
        errors = [error for call in ended if (error := call.exception()) is not None]
        for call in ended:
            for one in [] if call.exception() else call.result():
                if one.settled or stopping or errors:
                    self.ledger.note_unexpected(one.lease, one.error)
                else:
                    self.ledger.fail(one.lease, one.error)
        self.report.seconds = time.monotonic() - self._started
        for error in errors:
            if not stopping or not isinstance(error, _STOPS):
                raise error

    async def _wait_for_due_work(self) -> bool:
        """Wait until recurring work may have come due; False if the run is over."""
        left = self._poll_until - self.clock.now()
        if not isinstance(self.handler, Recurring) or left <= 0 or self._leases_left <= 0 or not self._in_time:
            return False
        await self.clock.sleep(min(self.handler.poll_interval, left))
        found = (await self._in_db(self._count)).due
        self.log.info("%s %s: found %d due", self.stage, self.brand, found)
        self._due += found
        return True

    async def _finish(self) -> None:
        """Cancel the calls, write the outcomes and release the rest, so that no worker waits for these leases."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self.ledger.open:
            await self._in_db(self._release)

    async def _call(self, work: Sequence[Any]) -> list[_Unexpected]:
        """One call of the handler. After an unexpected error, each product without an outcome is handled alone."""
        waiting = {one.lease.product_id: one for one in work}
        try:
            async for outcome in self.handler.handle(work):
                lease = outcome.lease_outcome.lease
                if waiting.pop(lease.product_id, None) is None:
                    raise LookupError(f"a second outcome for {lease.external_id}, or not in this call")
                self.ledger.settle(outcome)
            if waiting:
                raise LookupError(f"no outcome for {', '.join(one.lease.external_id for one in waiting.values())}")
        except _STOPS:
            raise
        except Exception as error:
            if len(work) == 1:
                return [_Unexpected(work[0].lease, error, settled=not waiting)]
            return [failed for one in list(waiting.values()) for failed in await self._call([one])]
        return []

    async def _in_db(self, work: Callable[..., _T], *args: Any) -> _T:
        future = asyncio.get_running_loop().run_in_executor(self._db_thread, work, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})  # what was leased or written must be known before the rest is released
            raise

    @property
    def _leases_left(self) -> int:
        """How many products one take of this run may still lease."""
        return self.handler.take_limit if self.options.limit is None else self.options.limit - self._leased

    @property
    def _in_time(self) -> bool:
        minutes = self.options.max_minutes
        return minutes is None or time.monotonic() - self._started < minutes * 60

    def _log_progress(self) -> None:
        report, now = self.report, time.monotonic()
        if now - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = now
        left = max(self._due - report.handled, 0)
        eta = f", about {timedelta(seconds=round(left / report.per_second))} to go" if report.per_second else ""
        self.log.info(
            "%s %s: %d done, %d failed, %.1f a second, %d left%s",
            report.stage, report.brand, report.done, report.failed, report.per_second, left, eta,
        )  # fmt: skip

    def _repair_and_count(self) -> work_queue.OpenWork:
        self.db.run(work_queue.repair_times, self.stage, self.brand, self.handler.lease, self.handler.interval)
        return self._count()

    def _count(self) -> work_queue.OpenWork:
        return self.db.run(work_queue.count_open, self.stage, self.brand, self.only)

    def _take(self, number: int) -> Sequence[Any]:
        """Lease at most `number` products and load them; `PauseStage` while the stage or the brand is paused."""
        if why := self.db.run(pauses.paused, self.stage, self.brand):
            raise PauseStage(why)
        leases = self.db.run(
            work_queue.take, self.stage, self.brand, number, self.handler.lease, self.only, self.ledger.released_ids
        )
        self.ledger.open.update((lease.product_id, lease) for lease in leases)
        self._leased += len(leases)
        work = self._load(leases) if leases else []
        self.ledger.check()
        return work

    def _load(self, leases: Sequence[Lease]) -> Sequence[Any]:
        """What the handler needs; a product that can't be loaded fails alone."""
        try:
            work = self.db.run(self.handler.load, leases)
            loaded = {one.lease.product_id for one in work}
            if missing := [lease.external_id for lease in leases if lease.product_id not in loaded]:
                raise LookupError(f"load returned nothing for {', '.join(missing)}")
            return work
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if len(leases) > 1:
                return [one for lease in leases for one in self._load([lease])]
            self.ledger.fail(leases[0], error)
            return []

    def _write(self) -> None:
        while not self.ledger.all_written:
            self.ledger.write()

    def _release(self) -> None:
        idle = self._threads.wait_until_idle(_THREADS_SECONDS)
        left = self.ledger.open
        try:
            try:
                self._write()
            except DatabaseUnavailable as error:
                if not error.refused:
                    raise
                # Outcomes can't be written, but leases perhaps: finished work is found again by its objects.
            if idle:
                self.ledger.release()
            else:  # an object that such a thread is about to store must not follow another worker's
                self.log.warning("%d products stay leased: a thread is still working on them", len(left))
        except DatabaseUnavailable as error:
            self.log.warning("%d products could not be released, their leases run out: %s", len(left), error)
