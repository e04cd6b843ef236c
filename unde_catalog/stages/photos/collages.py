"""The collages stage: one image of a product's stored photos side by side, for virtual try-on.

The image is made in `collage.py`; leases and retries are in `worker/loop.py`.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.photos.collage import TooEnlarged, TooWide, decoded_bytes, make_collage
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.objects.keys import collage_key
from unde_catalog.stores.objects.objects import PUT_SECONDS, ObjectMissing, ObjectStore
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.photos import collages
from unde_catalog.stores.staging.photos.collages import CollageOutcome, MadeCollage, StoredPhotos
from unde_catalog.worker.handler import Outcome, StoredObject, done, given_up, released, retry_later
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport


@dataclass(frozen=True, slots=True)
class CollageWork:
    """A leased product."""

    lease: Lease
    photos: StoredPhotos


def run(stage_run: StageRun) -> StageReport:
    """Make the brand's due collages; raises `StageStopped` if the stage can't go on."""
    backends = stage_run.backends
    handler = CollagesStage(backends.settings, backends.store)
    return run_worker(handler, backends.db, stage_run.brand, stage_run.options, stage_run.log, stage_run.on_stored)


class CollagesStage:
    """Handler of the stage. Collages are made in threads, limited by cores and `COLLAGE_MEMORY_MB`."""

    stage = "collages"
    batch = 1
    tries = 3
    interval: timedelta | None = None
    lease = timedelta(minutes=10)

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self.concurrency = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.take_limit = settings.batch_size_of(self.stage)
        self._quality = settings.collage_quality
        self._memory = MemoryBudget(settings.collage_memory_mb * 1_000_000)
        self._store = store

    async def __aenter__(self) -> "CollagesStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # nothing is open

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[CollageWork]:
        """Load the products' stored photos."""
        photos = collages.load(cursor, [lease.product_id for lease in leases])
        return [CollageWork(lease, photos[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[CollageWork]) -> AsyncIterator[Outcome]:
        """Make and store each product's collage."""
        for one in work:
            async with self._memory.reserve(decoded_bytes(one.photos.sizes) if one.photos.sizes else 0):
                yield await asyncio.to_thread(self._make, one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the collage rows, collage URLs and image statuses."""
        collages.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    def _make(self, work: CollageWork) -> Outcome:
        lease, photos = work.lease, work.photos
        key = collage_key(photos.brand, photos.external_id)
        if photos.unrecorded:  # do not delete an old collage only because the rows of its photos are missing
            return given_up(lease, "no_photo_rows", "no photo has a row: requeue the product for originals")
        if not photos.keys:  # the product has no photos any more, so its collage is deleted
            self._store.delete([key])
            return done(lease)
        try:
            collage = make_collage([self._store.get(key) for key in photos.keys], self._quality)
        except ObjectMissing as missing:
            return retry_later(lease, "original_missing", str(missing), item_fault=True)
        if isinstance(collage, TooWide):
            return given_up(lease, "too_wide", collage.detail)
        if isinstance(collage, TooEnlarged):
            return given_up(lease, "too_enlarged", collage.detail)
        if isinstance(collage, Refused):
            return retry_later(lease, f"original_{collage.reason}", collage.detail, item_fault=True)
        if lease.seconds_left() <= PUT_SECONDS:
            return released(lease)
        self._store.put(key, collage.data, "image/jpeg")
        size = len(collage.data)
        made = MadeCollage(self._store.public_url(key), key, collage.sha256, collage.width, collage.height, size)
        stored = StoredObject(photos.external_id, None, key, collage.sha256, collage.width, collage.height, size, None)
        return done(lease, made, stored=[stored], collages_stored=1, bytes=size)


def _row(outcome: Outcome, current: bool) -> CollageOutcome:
    result = outcome.lease_outcome
    error = f"{result.reason}: {result.detail}" if result.reason else None
    return CollageOutcome(result.lease.product_id, result.kind == "done", outcome.payload, error, current)
