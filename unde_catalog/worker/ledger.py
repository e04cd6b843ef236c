"""What a run of a stage has in hand, and how each of it ends: settled, written in small groups, counted, logged.

The loop that takes and handles products is in `loop.py`.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome
from unde_catalog.worker.handler import AbortStage, Handler, OnStored, Outcome, retry_later
from unde_catalog.worker.report import StageReport

GROUP = 50  # outcomes in one transaction, at the most ...
GROUP_SECONDS = 0.5  # ... and the longest that one waits for the others
_MOST_UNEXPECTED = 20  # a handler that fails so often without a reason is broken, not its products
_MOST_HANDED_BACK = 100  # so many leases that did not last, and this machine is too slow or was asleep


class HandlerBroken(RuntimeError):
    """So many unexpected errors that no product is to blame."""


class Ledger:
    """The leases and outcomes of one run. Its methods that write wait for the database."""

    def __init__(
        self,
        handler: Handler[Any],
        db: Database,
        report: StageReport,
        log: logging.Logger,
        keep: OnStored | None = None,
    ) -> None:
        self.handler, self.db, self.report, self.log = handler, db, report, log
        self._keep = keep
        self.open: dict[int, Lease] = {}  # taken, and how they end is not written yet
        self.went_back: list[int] = []  # not to be taken again in this run
        self.cause: BaseException | None = None  # why the stage stops
        self._outcomes: list[Outcome] = []  # settled, not yet written
        self._oldest_outcome = 0.0
        self._unexpected = 0

    @property
    def written(self) -> bool:
        """Whether nothing waits to be written."""
        return not self._outcomes

    def is_ripe(self) -> bool:
        """Whether outcomes have waited long enough for others, or are many enough."""
        waited = time.monotonic() - self._oldest_outcome
        return len(self._outcomes) >= GROUP or bool(self._outcomes) and waited >= GROUP_SECONDS

    def settle(self, outcome: Outcome) -> None:
        """Keep an outcome until it is written; the item's own fault is given up after the stage's tries."""
        settled = outcome.settled
        kind = settled.kind
        if kind == "later" and settled.item_fault and settled.lease.item_faults + 1 >= self.handler.tries:
            kind = "given_up"
        detail = work_queue.storable(settled.detail)
        settled = LeaseOutcome(settled.lease, kind, work_queue.storable(settled.reason), detail, settled.item_fault)
        if not self._outcomes:
            self._oldest_outcome = time.monotonic()
        self._outcomes.append(replace(outcome, settled=settled))

    def fail(self, lease: Lease, error: Exception, *, settled: bool = False) -> None:
        """Settle a product that something unexpected happened to, unless it was `settled` before that."""
        what = self._unexpected_error(lease, error)
        if self.cause is None and not settled:
            self.settle(retry_later(lease, "unexpected_error", what, item_fault=True))

    def _unexpected_error(self, lease: Lease, error: Exception) -> str:
        """Counts against the product that it is about; too many of them stop the stage."""
        self._unexpected += 1
        what = f"{type(error).__name__}: {error}"
        where = f"{self.report.stage} of {self.report.brand}/{lease.external_id}"
        self.log.error("%s: unexpected %s", where, what, exc_info=error)
        if self._unexpected >= _MOST_UNEXPECTED and self.cause is None:
            self.cause = HandlerBroken(f"{self._unexpected} unexpected errors, the last one {what}")
            self.cause.__cause__ = error
        return what

    def write(self) -> None:
        """Write the oldest outcomes, at most a group of them."""
        self._write_group(self._outcomes[:GROUP])

    def release(self) -> None:
        """Give back all that is still open."""
        untouched = [LeaseOutcome(lease, "released") for lease in self.open.values()]
        self.report.released += len(self.db.run(work_queue.finish, self.report.stage, untouched))

    def _write_group(self, group: Sequence[Outcome]) -> None:
        try:
            counted = self.db.run(self._finish, group)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            for outcome in group:  # alone, so that one that can't be written holds up no other
                if len(group) > 1:
                    self._write_group([outcome])
                else:
                    self._write_failed(outcome, error)
            return
        del self._outcomes[: len(group)]
        for outcome in group:
            lease = outcome.settled.lease
            self._count(outcome, self._is_latest(lease) and lease.product_id in counted)

    def _write_failed(self, outcome: Outcome, error: Exception) -> None:
        lease = outcome.settled.lease
        what = self._unexpected_error(lease, error)
        if self.cause is None:
            failed = retry_later(lease, "unexpected_error", work_queue.storable(what) or "", item_fault=False)
            counted = self.db.run(work_queue.finish, self.report.stage, [failed.settled])
            self._count(failed, lease.product_id in counted)
        del self._outcomes[:1]  # where the stage stops, it is handed back

    def _finish(self, cursor: Cursor, group: Sequence[Outcome]) -> Mapping[int, bool]:
        # In the order of ids, in which all writers ask for locks.
        group = sorted(
            (one for one in group if self._is_latest(one.settled.lease)), key=lambda one: one.settled.lease.product_id
        )
        settled = [outcome.settled for outcome in group]
        counted = work_queue.finish(cursor, self.report.stage, settled, self.handler.interval)
        written = [
            (one, counted[one.settled.lease.product_id]) for one in group if one.settled.lease.product_id in counted
        ]
        if written:
            self.handler.record(cursor, written)
        return counted

    def _is_latest(self, lease: Lease) -> bool:
        """False for one that a crash of the server took back, so that we took the product once more since."""
        latest = self.open.get(lease.product_id)
        return latest is not None and latest.token == lease.token

    def _count(self, outcome: Outcome, counted: bool) -> None:
        settled = outcome.settled
        lease = settled.lease
        if self._is_latest(lease):
            del self.open[lease.product_id]
        if not counted:
            self.report.superseded += 1
            return
        self.report.counts.update(outcome.counts)
        if self._keep is not None and outcome.stored:
            self._keep(outcome.stored)
        if settled.kind == "done":
            self.report.done += 1
            return
        if settled.kind == "released":
            self.report.released += 1
            self.went_back.append(lease.product_id)
            if len(self.went_back) >= _MOST_HANDED_BACK:
                self.cause = self.cause or AbortStage(f"{len(self.went_back)} products had to be handed back")
            return
        reason = settled.reason or "unknown"
        (self.report.given_up if settled.kind == "given_up" else self.report.later)[reason] += 1
        self.report.name_example(reason, lease.external_id, settled.detail)
        self.log.debug("%s %s: %s %s", self.report.stage, lease.external_id, reason, settled.detail)
