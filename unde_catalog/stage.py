"""The one loop under all stages: take what is due, hand it to the stage's handler, write outcomes, go on.

No handler knows of leases running out, retries, counting or logs; no knowledge of any particular stage is here.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from unde_catalog.stage_report import RunOptions, StageReport
from unde_catalog.staging import due_marks, due_work
from unde_catalog.staging.database import Cursor, Database, StagingDown
from unde_catalog.staging.due_work import Lease, Settled
from unde_catalog.storage.objects import StorageDown

GROUP = 50  # outcomes in one transaction, at the most ...
GROUP_SECONDS = 0.5  # ... and the longest that one waits for the others
_PROGRESS_SECONDS = 10.0
_MOST_UNEXPECTED = 20  # a handler that fails so often without a reason is broken, not its products


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a product left a handler: `settled` for its due row, `payload` for the stage's own columns."""

    settled: Settled
    payload: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)


def done(lease: Lease, payload: Any = None, **counts: int) -> Outcome:
    """Nothing left to do, until something changes or the interval is over."""
    return Outcome(Settled(lease, "done"), payload, counts)


def try_later(
    lease: Lease, reason: str, detail: str = "", *, item_fault: bool, payload: Any = None, **counts: int
) -> Outcome:
    """It failed and comes again later; the item's own fault is given up after the stage's number of tries."""
    return Outcome(Settled(lease, "later", reason, detail, item_fault), payload, counts)


def given_up(lease: Lease, reason: str, detail: str = "", *, payload: Any = None, **counts: int) -> Outcome:
    """It can't be done, until something changes or an operator asks."""
    return Outcome(Settled(lease, "given_up", reason, detail, item_fault=True), payload, counts)


def handed_back(lease: Lease) -> Outcome:
    """Not the item's fault, and nothing else's either: it goes back untouched, and the stage goes on."""
    return Outcome(Settled(lease, "handed_back"))


class HandBack(RuntimeError):
    """Raised by a handler: not the items' fault. All it has in hand goes back untouched and the stage stops."""


class StageStopped(RuntimeError):
    """The stage stopped before the work was done; the sentence names the cause, `report` what was done."""

    def __init__(self, report: StageReport, cause: BaseException) -> None:
        super().__init__(f"{report.stage} of {report.brand} stopped: {cause}")
        self.report = report


class HasLease(Protocol):
    """A product as a stage loads it."""

    @property
    def lease(self) -> Lease: ...  # noqa: D102


Work = TypeVar("Work", bound=HasLease)


class Handler(Protocol[Work]):
    """A stage: how much it handles at once, and how."""

    stage: str
    hands: int  # how many calls of `handle` run at once
    batch: int  # the most products a call gets
    take_at_most: int  # the most products one take brings
    lease: timedelta
    tries: int  # faults of the item itself before it is given up
    interval: timedelta | None  # None: done is done until something changes

    async def __aenter__(self) -> Any: ...  # noqa: D105  connections open and close with the run

    async def __aexit__(self, *_: object) -> None: ...  # noqa: D105

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> Sequence[Work]:
        """What the handler needs to know of these products, in one query."""
        ...

    def handle(self, work: Sequence[Work]) -> AsyncIterator[Outcome]:
        """Work on these products and yield an outcome for each, in any order."""
        ...

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the stage's own columns, in the transaction that settles the due rows.

        Only outcomes that count are here; the flag is False where a newer change already waits.
        """
        ...


def run_stage(handler: Handler[Any], db: Database, brand: str, options: RunOptions, log: logging.Logger) -> StageReport:
    """Work off what is due for a stage in a brand; `StageStopped` when something stands in the way of all of it."""
    only = None
    if options.product_ids is not None:
        known = db.run(due_marks.product_ids_of, brand, options.product_ids)
        unknown = [one for one in options.product_ids if one not in known]
        if unknown:
            raise ValueError(f"{brand} has no product {', '.join(unknown)}: product_ids wants ids as in external_id")
        only = list(known.values())
    if options.force:
        db.run(due_marks.force, handler.stage, brand, options.root_run, only)
    elif options.retry_failed:
        db.run(due_marks.retry_failed, handler.stage, brand, options.root_run, only)
    loop = _Loop(handler, db, brand, options, only, log)
    asyncio.run(loop.run())
    return loop.report


class _Loop:
    def __init__(
        self,
        handler: Handler[Any],
        db: Database,
        brand: str,
        options: RunOptions,
        only: list[int] | None,
        log: logging.Logger,
    ) -> None:
        self.handler, self.db, self.brand, self.options, self.only, self.log = handler, db, brand, options, only, log
        self.report = StageReport(handler.stage, brand)
        self._open: dict[int, Lease] = {}  # taken and not yet settled
        self._outcomes: list[Outcome] = []  # settled, not yet written
        self._oldest_outcome = 0.0
        self._taken = 0
        self._taking: asyncio.Future[Sequence[Any]] | None = None
        self._cause: BaseException | None = None
        self._unexpected = 0

    async def run(self) -> None:
        """Until nothing is due, or the limit or the time is reached, or something stops the stage."""
        async with self.handler:
            await self._work_off()

    async def _work_off(self) -> None:
        started = last_told = time.monotonic()
        calls: set[asyncio.Task[None]] = set()
        due = await self._still_due()
        try:
            while True:
                if self._may_begin(started):
                    calls |= await self._begin(self.handler.hands - len(calls))
                if not calls:
                    break
                ended, calls = await asyncio.wait(calls, timeout=GROUP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for call in ended:
                    call.result()  # an error of the loop itself must not pass unseen
                await self._write(only_if_ripe=True)
                self.report.seconds = time.monotonic() - started
                if time.monotonic() - last_told >= _PROGRESS_SECONDS:
                    last_told = time.monotonic()
                    self._tell(max(due - self.report.handled, 0))
            await self._write()
        except StagingDown as error:
            self._cause = error
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await self._let_go()
            self.report.seconds = time.monotonic() - started
        if self._cause is not None:
            raise StageStopped(self.report, self._cause) from self._cause
        still_open = await asyncio.to_thread(
            self.db.run, due_work.still_open, self.handler.stage, self.brand, self.only
        )
        self.report.still_due, self.report.in_other_hands = still_open.due, still_open.in_hand

    async def _still_due(self) -> int:
        return (
            await asyncio.to_thread(self.db.run, due_work.still_open, self.handler.stage, self.brand, self.only)
        ).due

    def _may_begin(self, started: float) -> bool:
        minutes = self.options.max_minutes
        in_time = minutes is None or time.monotonic() - started < minutes * 60
        return in_time and self._cause is None

    async def _begin(self, free_hands: int) -> set[asyncio.Task[None]]:
        most = min(free_hands * self.handler.batch, self.handler.take_at_most)
        if self.options.limit is not None:
            most = min(most, self.options.limit - self._taken)
        if most <= 0:
            return set()
        self._taking = asyncio.ensure_future(asyncio.to_thread(self.db.run, self._take, most))
        work = await asyncio.shield(self._taking)  # cancelled or not, we must know what was taken
        self._taken += len(work)
        size = self.handler.batch
        return {asyncio.create_task(self._call(work[i : i + size])) for i in range(0, len(work), size)}

    def _take(self, cursor: Cursor, most: int) -> Sequence[Any]:
        leases = due_work.take(cursor, self.handler.stage, self.brand, most, self.handler.lease, self.only)
        work = self.handler.load(cursor, leases) if leases else []
        self._open.update((lease.product_id, lease) for lease in leases)
        return work

    async def _call(self, work: Sequence[Any]) -> None:
        waiting = {one.lease.product_id: one.lease for one in work}
        try:
            async for outcome in self.handler.handle(work):
                del waiting[outcome.settled.lease.product_id]
                self._settle(outcome)
        except (HandBack, StorageDown, StagingDown) as cause:
            self._cause = self._cause or cause
        except Exception as error:
            self._unexpected += 1
            self.log.exception("%s of %s: unexpected %s", self.handler.stage, self.brand, type(error).__name__)
            if self._unexpected >= _MOST_UNEXPECTED:
                self._cause = self._cause or error
                return
            for lease in waiting.values():
                detail = f"{type(error).__name__}: {error}"
                self._settle(try_later(lease, "unexpected_error", detail, item_fault=True))

    def _settle(self, outcome: Outcome) -> None:
        settled = outcome.settled
        if settled.kind == "later" and settled.item_fault and settled.lease.item_faults + 1 >= self.handler.tries:
            settled = Settled(settled.lease, "given_up", settled.reason, settled.detail, item_fault=True)
            outcome = Outcome(settled, outcome.payload, outcome.counts)
        if not self._outcomes:
            self._oldest_outcome = time.monotonic()
        self._outcomes.append(outcome)

    async def _write(self, *, only_if_ripe: bool = False) -> None:
        while self._outcomes:
            ripe = len(self._outcomes) >= GROUP or time.monotonic() - self._oldest_outcome >= GROUP_SECONDS
            if only_if_ripe and not ripe:
                return
            group, self._outcomes = self._outcomes[:GROUP], self._outcomes[GROUP:]
            counted = await asyncio.to_thread(self.db.run, self._finish, group)
            for outcome in group:
                self._count(outcome, outcome.settled.lease.product_id in counted)

    def _finish(self, cursor: Cursor, group: Sequence[Outcome]) -> Mapping[int, bool]:
        settled = [outcome.settled for outcome in group]
        counted = due_work.finish(cursor, self.handler.stage, settled, self.handler.interval)
        written = [
            (one, counted[one.settled.lease.product_id]) for one in group if one.settled.lease.product_id in counted
        ]
        if written:
            self.handler.record(cursor, written)
        return counted

    def _count(self, outcome: Outcome, counted: bool) -> None:
        settled = outcome.settled
        self._open.pop(settled.lease.product_id, None)
        if not counted:
            self.report.superseded += 1
            return
        self.report.counts.update(outcome.counts)
        if settled.kind == "done":
            self.report.done += 1
            return
        if settled.kind == "handed_back":
            self.report.handed_back += 1
            return
        reason = settled.reason or "unknown"
        (self.report.given_up if settled.kind == "given_up" else self.report.later)[reason] += 1
        self.report.name_example(reason, settled.lease.external_id)
        self.log.debug("%s %s: %s %s", self.handler.stage, settled.lease.external_id, reason, settled.detail)

    async def _let_go(self) -> None:
        """Write what is settled and give back the rest, so that nobody waits for our leases to run out."""
        try:
            if self._taking is not None:
                await asyncio.wait({self._taking})
            await self._write()
            untouched = [Settled(lease, "handed_back") for lease in self._open.values()]
            self.report.handed_back += len(untouched)
            if untouched:
                await asyncio.to_thread(self.db.run, due_work.finish, self.handler.stage, untouched)
        except StagingDown as error:
            self.log.warning("%d products could not be handed back, their leases run out: %s", len(self._open), error)

    def _tell(self, left: int) -> None:
        report = self.report
        eta = f", about {timedelta(seconds=round(left / report.per_second))} to go" if report.per_second else ""
        self.log.info(
            "%s %s: %d done, %d failed, %.1f a second, %d left%s",
            report.stage, report.brand, report.done, report.failed, report.per_second, left, eta,
        )  # fmt: skip
