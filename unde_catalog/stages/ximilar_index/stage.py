"""The ximilar_index stage: the chosen photos of pilot products as records of a Ximilar collection (specs 1 and 6).

Every record is billed when it is inserted, so what is about to be inserted is written down first, on disk. Where
nobody wrote down what came of it, the collection is asked before anything is sent again.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, TypeVar

from unde_catalog.stages.ximilar_index.client import (
    RECORDS_A_REQUEST,
    Inserted,
    Ximilar,
    XimilarRefused,
    XimilarUnavailable,
)
from unde_catalog.stages.ximilar_index.records import TargetRecord, wanted_records
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.index import ximilar_rows
from unde_catalog.stores.staging.index.ximilar_rows import IndexedProduct, IndexOutcome, IndexRecord
from unde_catalog.worker.handler import AbortStage, Outcome, PauseStage, done, released, retry_later

SETTLE_SECONDS = 30.0  # an insert whose answer was lost may still be going on for so long
_INSERT_SECONDS = 90.0  # less lease than that left, and nothing may be inserted any more
_MOST_DOWN = 5  # so many failures in a row, and the stage stops

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IndexWork:
    """A product in hand."""

    lease: Lease
    product: IndexedProduct


@dataclass(slots=True)
class _CurrentRecords:
    """How a product's records stand while it is in hand."""

    work: IndexWork
    wanted: dict[str, TargetRecord]
    there: dict[str, IndexRecord] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    billed: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    trouble: str = ""  # why it has to come again, by no fault of its own

    def missing(self) -> list[TargetRecord]:
        """What has to be inserted."""
        return [one for id, one in self.wanted.items() if id not in self.there]

    def complete(self) -> bool:
        """Whether the collection holds just what it should."""
        return self.there.keys() == self.wanted.keys() and not self.outdated()

    def outdated(self) -> list[str]:
        """Ids of records whose metadata has to be changed."""
        return [id for id, one in self.there.items() if id in self.wanted and one.metadata != self.wanted[id].metadata]


class XimilarStage:
    """Handler of the stage. Ten records a request, over several products; products of one call succeed apart."""

    stage = "ximilar_index"
    concurrency = 4
    batch = 10
    tries = 3
    interval: timedelta | None = None
    lease = timedelta(minutes=20)

    def __init__(self, api: Ximilar, store: ObjectStore, db: Database, *, take_limit: int, budget: int) -> None:
        self._api, self._collection, self._store, self._db = api, api.collection, store, db
        self.take_limit, self._budget = take_limit, budget
        self._downs = 0

    async def __aenter__(self) -> "XimilarStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # sessions close with their threads

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[IndexWork]:
        """The products' photos and records."""
        products = ximilar_rows.load(cursor, self._collection, [lease.product_id for lease in leases])
        return [IndexWork(lease, products[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[IndexWork]) -> AsyncIterator[Outcome]:
        """Bring the collection to what it should hold of these products."""
        standings = [
            _CurrentRecords(one, {record.id: record for record in wanted_records(one.product)}) for one in work
        ]
        stopped = await asyncio.to_thread(self._bring_up_to_date, standings)
        for one in standings:
            yield _outcome(one)
        if stopped is not None:
            raise stopped

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Records, credits and the ximilar columns."""
        rows = [_row(outcome, current) for outcome, current in outcomes if outcome.payload is not None]
        ximilar_rows.record(cursor, self._collection, rows)

    def _bring_up_to_date(self, standings: list[_CurrentRecords]) -> Exception | None:
        """Settle, delete, update, insert, in this order; what stops the stage, if anything does."""
        try:
            for step in (self._settle, self._delete, self._update, self._insert):
                step(standings)
        except XimilarUnavailable as error:
            for one in standings:
                one.trouble = one.trouble or str(error)
            self._downs += 1
            if self._downs >= _MOST_DOWN:
                return AbortStage(f"{error}, {self._downs} times in a row")
        except XimilarRefused as error:
            return AbortStage(str(error))
        except (AbortStage, StorageUnavailable, DatabaseUnavailable) as error:
            return error
        else:
            self._downs = 0
        return None

    def _settle(self, standings: list[_CurrentRecords]) -> None:
        """Find out which of the records that were sent are in the collection."""
        for one in standings:
            one.there = {record.id: record for record in one.work.product.records if not record.intended}
        open_ones = {
            record.id: (one, record) for one in standings for record in one.work.product.records if record.intended
        }
        if not open_ones:
            return
        youngest = min(record.age for _, record in open_ones.values())
        time.sleep(min(max(SETTLE_SECONDS - youngest, 0.0), SETTLE_SECONDS))
        for ids in _tens(list(open_ones)):
            found = self._api.get(ids)
            for id in ids:
                one, record = open_ones[id]
                if id in found:
                    one.there[id] = replace(record, intended=False)
                    one.billed += 1
                else:
                    one.gone.add(id)

    def _delete(self, standings: list[_CurrentRecords]) -> None:
        owners = {id: one for one in standings for id in one.there if id not in one.wanted}
        for ids in _tens(list(owners)):
            self._api.delete(ids)
            for id in ids:
                del owners[id].there[id]
                owners[id].gone.add(id)
                owners[id].deleted += 1

    def _update(self, standings: list[_CurrentRecords]) -> None:
        changed = {id: one for one in standings for id in one.outdated()}
        for ids in _tens(list(changed)):
            missing = self._api.update([{"_id": id, **changed[id].wanted[id].metadata} for id in ids])
            for id in ids:
                one = changed[id]
                if id in missing:  # somebody else deleted it
                    del one.there[id]
                    one.gone.add(id)
                else:
                    one.there[id] = replace(one.there[id], metadata=one.wanted[id].metadata)
                    one.updated += 1

    def _insert(self, standings: list[_CurrentRecords]) -> None:
        to_send = [(one, record) for one in standings for record in one.missing()]
        for group in _tens(to_send):
            # The photos are read first: nothing is intended that can't be sent.
            bodies = {record.id: body for one, record in group if (body := self._body(one, record)) is not None}
            group = [(one, record) for one, record in group if record.id in bodies]
            group, spent = self._intend(group)
            answer = self._api.insert([bodies[record.id] for _, record in group]) if group else Inserted(frozenset())
            for one, record in group:
                if record.id in answer.there:
                    one.there[record.id] = _as_record(record)
                    one.billed += 1
                else:
                    one.gone.add(record.id)
                    if record.id not in answer.no_room:
                        one.rejected[record.id] = answer.failed.get(record.id, "not inserted")
                        one.billed += 1
            if answer.no_room:
                raise PauseStage(
                    "the Ximilar collection is full: enlarge it, or take products out of the pilot; the rest waits"
                )
            if spent:
                raise PauseStage(
                    f"the month's {self._budget} Ximilar credits (XIMILAR_MONTHLY_CREDITS) are used up; the rest waits "
                    "for the next month or a higher number"
                )

    def _intend(
        self, group: list[tuple[_CurrentRecords, TargetRecord]]
    ) -> tuple[list[tuple[_CurrentRecords, TargetRecord]], bool]:
        """Those that may be sent: in our hand for long enough, and paid for; whether the budget is used up."""
        in_time = [(one, record) for one, record in group if one.work.lease.seconds_left() > _INSERT_SECONDS]
        intents: dict[int, tuple[Lease, list[IndexRecord]]] = {}
        for one, record in in_time:
            lease = one.work.lease
            intents.setdefault(lease.product_id, (lease, []))[1].append(_as_record(record))
        if not intents:
            return [], False
        ours = self._db.run(ximilar_rows.intend, self._collection, list(intents.values()), self._budget)
        if isinstance(ours, int):
            return (self._intend(in_time[:ours])[0] if ours else []), True
        group = [(one, record) for one, record in in_time if one.work.lease.product_id in ours]
        for one, record in group:
            one.gone.discard(record.id)  # it stays intended until somebody knows
        return group, False

    def _body(self, one: _CurrentRecords, record: TargetRecord) -> dict[str, str] | None:
        photo = record.photo
        fields = {"_id": record.id, **record.metadata}
        if photo.url.startswith(("http://", "https://")):
            return {**fields, "_url": photo.url}
        try:
            data = self._store.get(photo.key)
        except ObjectMissing as error:
            one.rejected[record.id] = str(error)
            return None
        return {**fields, "_base64": base64.b64encode(data).decode()}


def _as_record(wanted: TargetRecord) -> IndexRecord:
    photo = wanted.photo
    return IndexRecord(wanted.id, photo.n, photo.sha256, photo.url, wanted.metadata, False, 0.0)


def _tens(items: list[_T]) -> list[list[_T]]:
    return [items[i : i + RECORDS_A_REQUEST] for i in range(0, len(items), RECORDS_A_REQUEST)]


def _outcome(one: _CurrentRecords) -> Outcome:
    """How a product stands after its call."""
    lease = one.work.lease
    counts = {"records_inserted": one.billed, "records_deleted": one.deleted, "records_updated": one.updated}
    if one.rejected:
        why = ", ".join(f"{id}: {reason}" for id, reason in one.rejected.items())
        outcome = retry_later(lease, "photo_rejected", why, item_fault=True)
    elif one.complete():
        outcome = done(lease)
    elif one.trouble:
        outcome = retry_later(lease, "ximilar_down", one.trouble, item_fault=False)
    else:
        outcome = released(lease)  # the stage stops, or the lease is too short
    return replace(outcome, payload=one, counts=counts)


def _row(outcome: Outcome, current: bool) -> IndexOutcome:
    one: _CurrentRecords = outcome.payload
    product, kind = one.work.product, outcome.lease_outcome.kind
    status: Literal["pending", "partial", "synced", "error"]
    if kind == "given_up":
        status = "error"
    elif len(one.there) >= product.target > 0:
        status = "synced" if kind == "done" else "partial"
    else:
        status = "partial" if one.there else "pending"
    there = sorted(one.there.values(), key=lambda record: record.n)
    return IndexOutcome(product.product_id, there, sorted(one.gone), one.billed, status, current)
