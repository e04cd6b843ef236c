"""The leases of one run and how each of them ends: outcomes are written in small groups, counted and logged.

The loop that leases and handles products is in `loop.py`.
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

GROUP = 50  # outcomes that are written in one transaction at most
GROUP_SECONDS = 0.5  # how long an outcome waits for others at most
_MAX_UNEXPECTED = 20  # after this many unexpected errors the handler is at fault, not its products
_MAX_RELEASED = 100  # after this many leases that ran out, this machine is too slow or was suspended


class HandlerBroken(RuntimeError):
    """There were so many unexpected errors that the handler must be at fault."""


class Ledger:
    """The leases and outcomes of one run. `write` and `release` block until the database has answered."""

    def __init__(
        self,
        handler: Handler[Any],
        db: Database,
        report: StageReport,
        log: logging.Logger,
        on_stored: OnStored | None = None,
    ) -> None:
        self.handler, self.db, self.report, self.log = handler, db, report, log
        self._on_stored = on_stored
        self.open: dict[int, Lease] = {}  # leased, and the outcome is not written yet; by product id
        self.released_ids: list[int] = []  # products that this run must not lease again
        self._outcomes: list[Outcome] = []  # not written yet
        self._oldest_outcome = 0.0
        self._unexpected = 0
        self._broken: HandlerBroken | None = None

    @property
    def all_written(self) -> bool:
        """Whether no outcome waits to be written."""
        return not self._outcomes

    def group_is_ripe(self) -> bool:
        """Whether enough outcomes wait to be written, or the oldest one has waited long enough."""
        waited = time.monotonic() - self._oldest_outcome
        return len(self._outcomes) >= GROUP or bool(self._outcomes) and waited >= GROUP_SECONDS

    def check(self) -> None:
        """Raise `HandlerBroken` after too many unexpected errors, `AbortStage` after too many released leases."""
        if self._broken is not None:
            raise self._broken
        if len(self.released_ids) >= _MAX_RELEASED:
            raise AbortStage(f"{len(self.released_ids)} products had to be released")

    def settle(self, outcome: Outcome) -> None:
        """Keep an outcome until it is written; a fault of the product itself is given up after the stage's tries."""
        ending = outcome.lease_outcome
        kind = ending.kind
        if kind == "later" and ending.item_fault and ending.lease.item_faults + 1 >= self.handler.tries:
            kind = "given_up"
        reason, detail = work_queue.storable(ending.reason), work_queue.storable(ending.detail)
        ending = replace(ending, kind=kind, reason=reason, detail=detail)
        if not self._outcomes:
            self._oldest_outcome = time.monotonic()
        self._outcomes.append(replace(outcome, lease_outcome=ending))

    def fail(self, lease: Lease, error: Exception) -> None:
        """Settle a product as failed by an unexpected error, unless the handler itself is broken."""
        self.note_unexpected(lease, error)
        if self._broken is None:
            self.settle(retry_later(lease, "unexpected_error", _describe(error), item_fault=True))

    def note_unexpected(self, lease: Lease, error: Exception) -> None:
        """Log and count an unexpected error; the product's lease stays open."""
        self._unexpected += 1
        if self._unexpected == _MAX_UNEXPECTED:
            self._broken = HandlerBroken(f"{self._unexpected} unexpected errors, the last one {_describe(error)}")
            self._broken.__cause__ = error
        product = f"{self.report.stage} of {self.report.brand}/{lease.external_id}"
        self.log.error("%s: unexpected %s", product, _describe(error), exc_info=error)

    def write(self) -> None:
        """Write the oldest outcomes, at most one group of them."""
        self._write_group(self._outcomes[:GROUP])

    def release(self) -> None:
        """Release every lease that is still open."""
        untouched = [LeaseOutcome(lease, "released") for lease in self.open.values()]
        self.report.released += len(self.db.run(work_queue.finish, self.report.stage, untouched))

    def _write_group(self, group: Sequence[Outcome]) -> None:
        try:
            counted = self.db.run(self._finish, group)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            for outcome in group:  # one by one, so that only the outcome at fault is not written
                if len(group) > 1:
                    self._write_group([outcome])
                else:
                    self._fail_to_write(outcome, error)
            return
        del self._outcomes[: len(group)]
        for outcome in group:
            lease = outcome.lease_outcome.lease
            self._count(outcome, self._is_latest(lease) and lease.product_id in counted)

    def _fail_to_write(self, outcome: Outcome, error: Exception) -> None:
        lease = outcome.lease_outcome.lease
        self.note_unexpected(lease, error)
        if self._broken is None:  # else its lease is released with the others
            detail = work_queue.storable(_describe(error)) or ""
            failed = retry_later(lease, "unexpected_error", detail, item_fault=False)
            counted = self.db.run(work_queue.finish, self.report.stage, [failed.lease_outcome])
            self._count(failed, lease.product_id in counted)
        del self._outcomes[:1]

    def _finish(self, cursor: Cursor, group: Sequence[Outcome]) -> Mapping[int, bool]:
        """One transaction: due rows and the stage's own columns. Product ids as in `work_queue.finish`."""
        latest = [one for one in group if self._is_latest(one.lease_outcome.lease)]
        latest.sort(key=lambda one: one.lease_outcome.lease.product_id)  # all writers lock products by id
        endings = [outcome.lease_outcome for outcome in latest]
        counted = work_queue.finish(cursor, self.report.stage, endings, self.handler.interval)
        written = [(one, counted[id]) for one in latest if (id := one.lease_outcome.lease.product_id) in counted]
        if written:
            self.handler.record(cursor, written)
        return counted

    def _is_latest(self, lease: Lease) -> bool:
        """False for a lease that a crash of the server undid, if this run has leased the product again since."""
        latest = self.open.get(lease.product_id)
        return latest is not None and latest.token == lease.token

    def _count(self, outcome: Outcome, counted: bool) -> None:
        """Add a written outcome to the report; `counted` is False if the lease had been lost."""
        ending = outcome.lease_outcome
        lease = ending.lease
        if self._is_latest(lease):
            del self.open[lease.product_id]
        if not counted:
            self.report.superseded += 1
            return
        self.report.counts.update(outcome.counts)
        if self._on_stored is not None and outcome.stored:
            self._on_stored(outcome.stored)
        if ending.kind == "done":
            self.report.done += 1
            return
        if ending.kind == "released":
            self.report.released += 1
            self.released_ids.append(lease.product_id)
            return
        reason = ending.reason or "unknown"
        (self.report.given_up if ending.kind == "given_up" else self.report.later)[reason] += 1
        self.report.add_example(reason, lease.external_id, ending.detail)
        self.log.debug("%s %s: %s %s", self.report.stage, lease.external_id, reason, ending.detail)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
