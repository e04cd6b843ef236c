"""The ximilar_index stage: selected photos of products with `index_scope` `pilot` as records of a Ximilar collection.

Every inserted record is billed, so an intent is committed to disk before a record is sent. If the result of an intent
is unknown, the record is looked up in the collection before it is sent again.
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
    XimilarPaused,
    XimilarRefused,
    XimilarUnavailable,
)
from unde_catalog.stages.ximilar_index.listing import CollectionListing, unrecorded_keys
from unde_catalog.stages.ximilar_index.records import TargetRecord, target_records
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, StorageUnavailable
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.index import ximilar_rows
from unde_catalog.stores.staging.index.ximilar_rows import IndexedProduct, IndexOutcome, IndexRecord
from unde_catalog.worker.handler import AbortStage, Outcome, PauseStage, done, released, retry_later

SETTLE_SECONDS = 30.0  # for which an insert whose response was lost may still be running
_MIN_LEASE_SECONDS = 90.0  # nothing is inserted for a lease with less time left
_MAX_FAILURES_IN_A_ROW = 5  # then the stage stops

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IndexWork:
    """A leased product."""

    lease: Lease
    product: IndexedProduct


@dataclass(slots=True)
class _ProductRecords:
    """The state of a leased product's records: `target` ones, and those `present` in the collection."""

    work: IndexWork
    target: dict[str, TargetRecord]
    present: dict[str, IndexRecord] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    billed: int = 0
    updated: int = 0
    deleted: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    adopted: int = 0
    not_found: int = 0
    error: str = ""  # of Ximilar: the product is retried

    def missing(self) -> list[TargetRecord]:
        """The records to insert."""
        return [one for id, one in self.target.items() if id not in self.present]

    def complete(self) -> bool:
        """Whether the collection has exactly the target records."""
        return self.present.keys() == self.target.keys() and not self.outdated()

    def outdated(self) -> list[str]:
        """Ids of records with outdated metadata."""
        return [
            id for id, one in self.present.items() if id in self.target and one.metadata != self.target[id].metadata
        ]


class XimilarStage:
    """Handler of the stage. Requests have ten records of several products; each product has its own outcome."""

    stage = "ximilar_index"
    concurrency = 4
    batch = 10
    tries = 3
    interval: timedelta | None = None
    lease = timedelta(minutes=20)

    def __init__(self, api: Ximilar, store: ObjectStore, db: Database, *, take_limit: int, budget: int) -> None:
        self._api, self._collection, self._store, self._db = api, api.collection, store, db
        self._listing = CollectionListing(api, db)
        self.take_limit, self._budget = take_limit, budget
        self._failures_in_a_row = 0

    async def __aenter__(self) -> "XimilarStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # each thread's session closes with it

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[IndexWork]:
        """Load the products' photos and records."""
        products = ximilar_rows.load(cursor, self._collection, [lease.product_id for lease in leases])
        return [IndexWork(lease, products[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[IndexWork]) -> AsyncIterator[Outcome]:
        """Make the collection match the target records of these products."""
        products = [_ProductRecords(one, {record.id: record for record in target_records(one.product)}) for one in work]
        stopped = await asyncio.to_thread(self._bring_up_to_date, products)
        for one in products:
            yield _outcome(one)
        if stopped is not None:
            raise stopped

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write records, credits and the columns of the stage."""
        rows = [_row(outcome, current) for outcome, current in outcomes if outcome.payload is not None]
        ximilar_rows.record(cursor, self._collection, rows)

    def _bring_up_to_date(self, products: list[_ProductRecords]) -> Exception | None:
        """Settle, adopt, delete, update, insert, in this order; returns the exception that stops the stage, if any."""
        try:
            for step in (self._settle, self._adopt, self._delete, self._update, self._insert):
                step(products)
        except XimilarUnavailable as error:
            for one in products:
                one.error = one.error or str(error)
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
                return AbortStage(f"{error} ({self._failures_in_a_row} times in a row)")
            if isinstance(error, XimilarPaused):
                return AbortStage(str(error))
        except XimilarRefused as error:
            return AbortStage(str(error))
        except (AbortStage, StorageUnavailable, DatabaseUnavailable) as error:
            return error
        else:
            self._failures_in_a_row = 0
        return None

    def _settle(self, products: list[_ProductRecords]) -> None:
        """Find out which intended records are in the collection."""
        for one in products:
            one.present = {record.id: record for record in one.work.product.records if not record.intended}
        intended = {
            record.id: (one, record) for one in products for record in one.work.product.records if record.intended
        }
        if not intended:
            return
        youngest = min(record.age for _, record in intended.values())
        time.sleep(min(max(SETTLE_SECONDS - youngest, 0.0), SETTLE_SECONDS))
        for ids in _batches(list(intended)):
            found = self._api.get(ids)
            for id in ids:
                one, record = intended[id]
                if id in found:
                    one.present[id] = replace(record, intended=False)
                    one.billed += 1
                else:
                    one.absent.add(id)

    def _adopt(self, products: list[_ProductRecords]) -> None:
        """Find the records of photos that another program inserted: the row names them, and nothing is recorded."""
        for one in products:
            product = one.work.product
            unrecorded = unrecorded_keys(product.synced_urls, one.present.values())
            if unrecorded:
                adopted = self._listing.adopt(
                    product.external_id, product.photos, product.synced_urls, unrecorded, product.synced_at
                )
                one.present |= {record.id: record for record in adopted}
                one.adopted, one.not_found = len(adopted), len(unrecorded) - len({record.url for record in adopted})
            targets = target_records(product, one.present.values())
            one.target = {record.id: record for record in targets}

    def _delete(self, products: list[_ProductRecords]) -> None:
        owners = {id: one for one in products for id in one.present if id not in one.target}
        for ids in _batches(list(owners)):
            self._api.delete(ids)
            for id in ids:
                del owners[id].present[id]
                owners[id].absent.add(id)
                owners[id].deleted += 1

    def _update(self, products: list[_ProductRecords]) -> None:
        changed = {id: one for one in products for id in one.outdated()}
        for ids in _batches(list(changed)):
            missing = self._api.update([{"_id": id, **changed[id].target[id].metadata} for id in ids])
            for id in ids:
                one = changed[id]
                if id in missing:  # deleted by somebody else
                    del one.present[id]
                    one.absent.add(id)
                else:
                    one.present[id] = replace(one.present[id], metadata=one.target[id].metadata)
                    one.updated += 1

    def _insert(self, products: list[_ProductRecords]) -> None:
        to_send = [(one, record) for one in products for record in one.missing()]
        for group in _batches(to_send):
            # Photos are read before the intents are written, so that every intended record can be sent.
            bodies = {record.id: body for one, record in group if (body := self._body(one, record)) is not None}
            group = [(one, record) for one, record in group if record.id in bodies]
            group, budget_exceeded = self._write_intents(group)
            result = self._api.insert([bodies[record.id] for _, record in group]) if group else Inserted(frozenset())
            for one, record in group:
                if record.id in result.present:
                    one.present[record.id] = _as_record(record)
                    one.billed += 1
                else:
                    one.absent.add(record.id)
                    if record.id not in result.over_capacity:
                        one.rejected[record.id] = result.failed.get(record.id, "not inserted")
                        one.billed += 1
            if result.over_capacity:
                raise PauseStage(
                    "the Ximilar collection is full: enlarge it, or remove products from the pilot; other products wait"
                )
            if budget_exceeded:
                raise PauseStage(
                    f"the month's {self._budget} Ximilar credits (XIMILAR_MONTHLY_CREDITS) are used up; other products "
                    "wait for the next month or a higher limit"
                )

    def _write_intents(
        self, group: list[tuple[_ProductRecords, TargetRecord]]
    ) -> tuple[list[tuple[_ProductRecords, TargetRecord]], bool]:
        """Write intents; returns the records to send, whose leases last and which the budget allows, and whether the
        budget is exceeded."""
        leased = [(one, record) for one, record in group if one.work.lease.seconds_left() > _MIN_LEASE_SECONDS]
        intents: dict[int, tuple[Lease, list[IndexRecord]]] = {}
        for one, record in leased:
            lease = one.work.lease
            intents.setdefault(lease.product_id, (lease, []))[1].append(_as_record(record))
        if not intents:
            return [], False
        written = self._db.run(ximilar_rows.write_intents, self._collection, list(intents.values()), self._budget)
        if isinstance(written, int):
            return (self._write_intents(leased[:written])[0] if written else []), True
        group = [(one, record) for one, record in leased if one.work.lease.product_id in written]
        for one, record in group:
            one.absent.discard(record.id)  # it stays intended until its result is known
        return group, False

    def _body(self, one: _ProductRecords, record: TargetRecord) -> dict[str, str] | None:
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


def _as_record(target: TargetRecord) -> IndexRecord:
    photo = target.photo
    return IndexRecord(target.id, photo.n, photo.sha256, photo.url, target.metadata, False, 0.0)


def _batches(items: list[_T]) -> list[list[_T]]:
    return [items[i : i + RECORDS_A_REQUEST] for i in range(0, len(items), RECORDS_A_REQUEST)]


def _outcome(one: _ProductRecords) -> Outcome:
    """The outcome of a product after its call."""
    lease = one.work.lease
    counts = {
        "records_inserted": one.billed, "records_deleted": one.deleted, "records_updated": one.updated,
        "records_adopted": one.adopted, "records_not_found": one.not_found,
    }  # fmt: skip
    if one.rejected:
        detail = ", ".join(f"{id}: {reason}" for id, reason in one.rejected.items())
        outcome = retry_later(lease, "photo_rejected", detail, item_fault=True)
    elif one.complete():
        outcome = done(lease)
    elif one.error:
        outcome = retry_later(lease, "ximilar_down", one.error, item_fault=False)
    else:
        outcome = released(lease)  # the stage stops, or the lease is too short
    return replace(outcome, payload=one, counts=counts)


def _row(outcome: Outcome, current: bool) -> IndexOutcome:
    one: _ProductRecords = outcome.payload
    product, kind = one.work.product, outcome.lease_outcome.kind
    status: Literal["pending", "partial", "synced", "error"]
    if kind == "given_up":
        status = "error"
    elif len(one.present) >= max(product.target, 1):
        status = "synced" if kind == "done" else "partial"
    else:
        status = "partial" if one.present else "pending"
    present = sorted(one.present.values(), key=lambda record: record.n)
    ending = outcome.lease_outcome
    error = f"{ending.reason}: {ending.detail}" if status == "error" else None
    return IndexOutcome(product.product_id, present, sorted(one.absent), one.billed, status, current, error)
