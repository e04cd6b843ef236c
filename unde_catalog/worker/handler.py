"""What a stage's handler is, and what it says of the products it was handed.

The loop that calls it is in `loop.py`; what an outcome does to a due row is in `stores/staging/due_work/work_queue.py`.
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
    """An object that a stage stored: which product's, its key, the SHA-256 of its bytes in hex, pixels and bytes.

    `n` and `source_url` are a photo's place (from 1) and address, None for a collage.
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
    """How a product left a handler: `settled` for its due row, `payload` for the stage's own columns.

    `stored` are the objects that were new.
    """

    settled: LeaseOutcome
    payload: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)
    stored: Sequence[StoredObject] = ()


OnStored = Callable[[Sequence[StoredObject]], None]  # told what was stored, once it is written down


def done(lease: Lease, payload: Any = None, *, stored: Sequence[StoredObject] = (), **counts: int) -> Outcome:
    """Nothing left to do, until something changes or the interval is over."""
    return Outcome(LeaseOutcome(lease, "done"), payload, counts, stored)


def retry_later(
    lease: Lease,
    reason: str,
    detail: str = "",
    *,
    item_fault: bool,
    payload: Any = None,
    stored: Sequence[StoredObject] = (),
    **counts: int,
) -> Outcome:
    """It failed and comes again later; the item's own fault is given up after the stage's number of tries."""
    return Outcome(LeaseOutcome(lease, "later", reason, detail, item_fault), payload, counts, stored)


def given_up(lease: Lease, reason: str, detail: str = "", *, payload: Any = None, **counts: int) -> Outcome:
    """It can't be done, until something changes or an operator asks."""
    return Outcome(LeaseOutcome(lease, "given_up", reason, detail, item_fault=True), payload, counts)


def released(lease: Lease) -> Outcome:
    """Not the item's fault, and nothing else's either: it goes back untouched, and the stage goes on."""
    return Outcome(LeaseOutcome(lease, "released"))


class AbortStage(RuntimeError):
    """Raised by a handler: not the items' fault. All it has in hand goes back untouched and the stage stops."""


class PauseStage(AbortStage):
    """Nothing is broken, but no more may be done for now: the run ends well and its note says why."""


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
    batch: int  # the most products a call gets
    take_limit: int  # the most products one take brings
    lease: timedelta
    tries: int  # faults of the item itself before it is given up
    interval: timedelta | None  # None: done is done until something changes

    @property
    def concurrency(self) -> int:
        """How many calls of `handle` run at once; it may change from moment to moment."""
        ...

    async def __aenter__(self) -> Any: ...  # noqa: D105  connections open and close with the run

    async def __aexit__(self, *_: object) -> None: ...  # noqa: D105

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> Sequence[Work]:
        """What the handler needs to know of each of these products, in one query."""
        ...

    def handle(self, work: Sequence[Work]) -> AsyncIterator[Outcome]:
        """Work on these products and yield an outcome for each, in any order.

        Called again with single products when it raised something unexpected over several. Threads of its own must
        be the event loop's (`asyncio.to_thread`): nothing is handed back while one of those still works.
        """
        ...

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the stage's own columns, in the transaction that settles the due rows.

        Only outcomes that count are here; the flag is False where a newer change already waits.
        """
        ...


@runtime_checkable
class Recurring(Protocol):
    """A stage whose work recurs, so that a run can stay for what comes due meanwhile."""

    @property
    def poll_interval(self) -> float:
        """Seconds after which it looks for that."""
        ...
