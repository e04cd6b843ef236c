"""The collages stage: a product's stored photos side by side, for virtual try-on (spec 1).

How a collage is made is `collage.py`'s; leases and retries are `worker/loop.py`'s.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.photos.collage import TooWide, decoded_bytes, make_collage
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
    """A product in hand."""

    lease: Lease
    photos: StoredPhotos


def run(stage_run: StageRun) -> StageReport:
    """Make the collages that are due of the brand; `StageStopped` when something prevents all of the work."""
    backends = stage_run.backends
    handler = CollagesStage(backends.settings, backends.store)
    return run_worker(handler, backends.db, stage_run.brand, stage_run.options, stage_run.log, stage_run.on_stored)


class CollagesStage:
    """Handler of the stage; collages are made in threads, as many as there are cores and memory for."""

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
        pass  # nothing is kept open

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[CollageWork]:
        """The products' stored photos."""
        photos = collages.load(cursor, [lease.product_id for lease in leases])
        return [CollageWork(lease, photos[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[CollageWork]) -> AsyncIterator[Outcome]:
        """Glue each product's photos and store the picture."""
        for one in work:
            async with self._memory.reserve(decoded_bytes(one.photos.sizes) if one.photos.sizes else 0):
                yield await asyncio.to_thread(self._glue, one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Collage row, collage URL and image status."""
        collages.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    def _glue(self, work: CollageWork) -> Outcome:
        lease, photos = work.lease, work.photos
        key = collage_key(photos.brand, photos.external_id)
        if photos.unrecorded:  # an old collage must not go because nobody wrote down what it was made of
            return given_up(lease, "no_photo_rows", "no stored photo is recorded: requeue it for originals")
        if not photos.keys:  # all photos left: so does what was made of them
            self._store.delete([key])
            return done(lease)
        try:
            collage = make_collage([self._store.get(key) for key in photos.keys], self._quality)
        except ObjectMissing as missing:
            return retry_later(lease, "original_missing", str(missing), item_fault=True)
        if isinstance(collage, TooWide):
            return given_up(lease, "too_wide", collage.detail)
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
    settled = outcome.lease_outcome
    error = f"{settled.reason}: {settled.detail}" if settled.reason else None
    return CollageOutcome(settled.lease.product_id, settled.kind == "done", outcome.payload, error, current)
