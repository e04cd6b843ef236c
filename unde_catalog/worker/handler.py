"""The protocol of a stage's handler, and the outcomes that it yields.

The loop that calls a handler is in `loop.py`; how an outcome changes a due row is in
`stores/staging/due_work/work_queue.py`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome
from unde_catalog.worker.report import StageReport


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that a stage stored for a product: its key, the SHA-256 of its bytes in hex, pixels and bytes.

    `n` and `source_url` are a photo's position (from 1) and address; both are None for a collage.
    """

    external_id: str
    n: int | None
    key: str
    sha256: str
    width: int
    height: int
    bytes: int
    source_url: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one product: `lease_outcome` for its due row, `payload` for the stage's own columns.

    `stored` are the objects that were new.
    """

    lease_outcome: LeaseOutcome
    payload: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)
    stored: Sequence[StoredObject] = ()


OnStored = Callable[[Sequence[StoredObject]], None]  # called after the outcome is committed


def done(lease: Lease, payload: Any = None, *, stored: Sequence[StoredObject] = (), **counts: int) -> Outcome:
    """Nothing is left to do until the product changes or the stage's interval has passed."""
    return Outcome(LeaseOutcome(lease, "done"), payload, counts, stored)


def retry_later(
    lease: Lease,
    reason: str,
    detail: str = "",
    *,
    item_fault: bool,
    wait: timedelta | None = None,
    payload: Any = None,
    stored: Sequence[StoredObject] = (),
    **counts: int,
) -> Outcome:
    """The product failed and is due again later; a fault of the product itself is given up after `Handler.tries`.

    `wait`: at least until then, beside the wait that grows with the number of tries.
    """
    return Outcome(LeaseOutcome(lease, "later", reason, detail, item_fault, wait), payload, counts, stored)


def given_up(lease: Lease, reason: str, detail: str = "", *, payload: Any = None, **counts: int) -> Outcome:
    """The product can't be done until it changes or an operator asks for another try."""
    return Outcome(LeaseOutcome(lease, "given_up", reason, detail, item_fault=True), payload, counts)


def released(lease: Lease) -> Outcome:
    """The product was not finished and nothing is at fault: it stays due as before, and the stage goes on."""
    return Outcome(LeaseOutcome(lease, "released"))


class AbortStage(RuntimeError):
    """Raised by a handler to stop the stage for a reason that is no product's fault. All leases are released."""


class PauseStage(AbortStage):
    """Nothing is broken, but no more may be done for now: the run succeeds, and its note is the message."""


class StageStopped(RuntimeError):
    """The stage stopped before its work was done. The message names the cause, `report` says what was done."""

    def __init__(self, report: StageReport, cause: BaseException) -> None:
        super().__init__(f"{report.stage} of {report.brand} stopped: {cause}")
        self.report = report


class HasLease(Protocol):
    """A product as a stage loads it."""

    @property
    def lease(self) -> Lease: ...  # noqa: D102


Work = TypeVar("Work", bound=HasLease)


class Handler(Protocol[Work]):
    """A stage: how many products it handles at once, and how."""

    stage: str
    batch: int  # products that one call of `handle` gets at most
    take_limit: int  # products that one take leases at most
    lease: timedelta
    tries: int  # faults of the product itself before it is given up
    interval: timedelta | None  # None: a product that is done is due again only after a change

    @property
    def concurrency(self) -> int:
        """How many calls of `handle` may run at once; it may change at any time."""
        ...

    async def __aenter__(self) -> Any: ...  # noqa: D105  connections open and close with the run

    async def __aexit__(self, *_: object) -> None: ...  # noqa: D105

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> Sequence[Work]:
        """Load what `handle` needs of all these products, in one query."""
        ...

    def handle(self, work: Sequence[Work]) -> AsyncIterator[Outcome]:
        """Handle these products and yield an outcome for each, in any order.

        After an unexpected error over several products it is called again for each remaining product alone. Threads
        must be the event loop's (`asyncio.to_thread`), since no lease is released while one of those is running.
        """
        ...

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the stage's own columns, in the transaction that updates the due rows.

        It gets only outcomes that count; the flag is False if a newer change of the product is already due.
        """
        ...


@runtime_checkable
class Recurring(Protocol):
    """A handler whose work recurs, so that a run can wait for products that come due during it."""

    @property
    def poll_interval(self) -> float:
        """Seconds between two queries for due products."""
        ...
