"""The visual_index stage: each stored photo of products in the index's scope is embedded once by a model.

The embeddings are rows beside the due work, written where it is settled. A store of its own (Qdrant) is brought up to
date before that, and may be again. How a photo becomes numbers is the model's.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from PIL import Image

from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.visual_index.model import EmbeddingModel
from unde_catalog.stages.visual_index.model_image import model_image
from unde_catalog.stages.visual_index.vector_store import (
    MIRRORED_SCOPE,
    PhotoVector,
    Vector,
    VectorStore,
    VectorStoreUnavailable,
)
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.index import embeddings, models
from unde_catalog.stores.staging.index.embeddings import EmbeddedProduct, EmbeddingOutcome, NewEmbedding, PhotoToEmbed
from unde_catalog.worker.handler import AbortStage, Outcome, done, released, retry_later

STAGE = "visual_index"
Failure = tuple[str, str]  # a reason to count by, and a sentence
_MIRROR_SECONDS = 60.0  # with less lease left, nothing is sent to another store any more
_A_PIXEL = 7  # bytes that a progressive JPEG keeps of each, whatever the scale it is decoded at


@dataclass(frozen=True, slots=True)
class EmbedWork:
    """A product in hand.

    `elsewhere`: embeddings of the same bytes, of whatever product, by their SHA-256; `newest`: the model that photos
    are to be embedded with now.
    """

    lease: Lease
    product: EmbeddedProduct
    elsewhere: dict[str, Vector]
    newest: str | None


@dataclass(slots=True)
class _CurrentEmbeddings:
    """How a product's photos stand while it is in hand: vectors by place, those of them that are new, what failed."""

    work: EmbedWork
    vectors: dict[int, Vector] = field(default_factory=dict)
    new: list[NewEmbedding] = field(default_factory=list)
    embedded: int = 0
    failed: Failure | None = None
    late: bool = False

    def add(self, photo: PhotoToEmbed, vector: Vector) -> None:
        """A photo has an embedding that is not written yet."""
        self.vectors[photo.n] = vector
        self.new.append(NewEmbedding(photo.n, photo.sha256, vector))


class VisualIndexStage:
    """Handler of the stage; photos are decoded and embedded in threads, as many as the model likes."""

    stage = STAGE
    batch = 4  # products: some twenty photos
    tries = 3
    interval: timedelta | None = None
    lease = timedelta(minutes=10)

    def __init__(
        self,
        model: EmbeddingModel,
        store: ObjectStore,
        mirror: VectorStore | None,
        *,
        take_limit: int,
        memory_mb: int,
    ) -> None:
        """`mirror`: a store beside the staging database that is kept up to date."""
        self._model, self._store, self._mirror = model, store, mirror
        self.concurrency, self.take_limit = model.concurrency, take_limit
        self._memory = MemoryBudget(memory_mb * 1_000_000)

    async def __aenter__(self) -> "VisualIndexStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # nothing is kept open

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[EmbedWork]:
        """The products' photos, their embeddings, and those of the same photos elsewhere."""
        products = embeddings.load(cursor, self._model.name, [lease.product_id for lease in leases])
        missing = {
            photo.sha256
            for lease in leases
            for photo in products[lease.product_id].wanted
            if photo.n not in _kept(lease, products[lease.product_id]) and lease.forced_at is None
        }
        elsewhere = embeddings.of_contents(cursor, self._model.name, list(missing)) if missing else {}
        now = models.models(cursor)
        newest = now.building or now.serving
        return [EmbedWork(lease, products[lease.product_id], elsewhere, newest) for lease in leases]

    async def handle(self, work: Sequence[EmbedWork]) -> AsyncIterator[Outcome]:
        """Embed what is not embedded yet, and tell the mirror."""
        newest = work[0].newest
        if newest != self._model.name:  # what this model did would be done for nothing, and due no more for the other
            raise AbortStage(
                f"photos are embedded by {newest} since a moment ago, and this run began with {self._model.name}"
            )
        largest = max((photo.pixels for one in work for photo in one.product.wanted), default=0)
        async with self._memory.reserve(largest * _A_PIXEL):
            standings = await asyncio.to_thread(self._embed, work)
        try:
            if self._mirror is not None:
                await asyncio.to_thread(self._tell_mirror, standings, self._mirror)
        except VectorStoreUnavailable as down:
            raise AbortStage(str(down)) from down
        for one in standings:
            yield _outcome(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Embeddings, new and gone."""
        rows = [outcome.payload for outcome, _ in outcomes if isinstance(outcome.payload, EmbeddingOutcome)]
        if rows:
            embeddings.record(cursor, self._model.name, rows)

    def _embed(self, work: Sequence[EmbedWork]) -> list[_CurrentEmbeddings]:
        """Each photo of the batch once, also where products share it."""
        standings = [_CurrentEmbeddings(one) for one in work]
        pictures: dict[str, Image.Image | Failure] = {}
        waiting: list[tuple[_CurrentEmbeddings, PhotoToEmbed]] = []
        for one in standings:
            lease, product = one.work.lease, one.work.product
            kept = _kept(lease, product)
            for photo in product.wanted:
                if photo.n in kept:
                    one.vectors[photo.n] = kept[photo.n]
                elif photo.sha256 in one.work.elsewhere and lease.forced_at is None:
                    one.add(photo, one.work.elsewhere[photo.sha256])
                else:
                    waiting.append((one, photo))
                    if photo.sha256 not in pictures:
                        pictures[photo.sha256] = self._picture(photo)
        good = {sha256: found for sha256, found in pictures.items() if isinstance(found, Image.Image)}
        rows = self._model.embed_images(list(good.values())) if good else ()
        made = {sha256: row.tolist() for sha256, row in zip(good, rows, strict=True)}
        first = set(made)
        for one, photo in waiting:
            found = pictures[photo.sha256]
            if isinstance(found, Image.Image):
                one.add(photo, made[photo.sha256])
                one.embedded += photo.sha256 in first
                first.discard(photo.sha256)
            else:
                one.failed = one.failed or found
        return standings

    def _picture(self, photo: PhotoToEmbed) -> Image.Image | Failure:
        try:
            data = self._store.get(photo.key)
        except ObjectMissing as missing:
            return "original_missing", str(missing)
        if hashlib.sha256(data).hexdigest() != photo.sha256:  # another photo's numbers would pass for this one's
            return "original_changed", f"{photo.key} has other bytes than its row says: unde-catalog verify --hashes"
        found = model_image(data)
        return (f"original_{found.reason}", found.detail) if isinstance(found, Refused) else found

    def _tell_mirror(self, standings: Sequence[_CurrentEmbeddings], mirror: VectorStore) -> None:
        """What it is to hold of these products. Not of one that is in hand for too short a time: it comes again."""
        told: list[EmbeddedProduct] = []
        photos: list[PhotoVector] = []
        for one in standings:
            if one.failed is not None:
                continue
            one.late = one.work.lease.seconds_left() <= _MIRROR_SECONDS
            if not one.late:
                told.append(one.work.product)
                photos += _mirrored(one)
        if photos:
            mirror.upsert(self._model.name, photos)
        if told:
            places = {(photo.product_id, photo.n) for photo in photos}
            mirror.delete([product.product_id for product in told], but=places)


def _mirrored(one: _CurrentEmbeddings) -> list[PhotoVector]:
    product = one.work.product
    if product.index_scope != MIRRORED_SCOPE:
        return []
    return [
        PhotoVector(
            product.product_id, product.source, product.external_id, product.brand, product.category, product.price,
            photo.n, photo.sha256, one.vectors[photo.n],
        )
        for photo in product.wanted
    ]  # fmt: skip


def _kept(lease: Lease, product: EmbeddedProduct) -> dict[int, Vector]:
    """The embeddings that are there and stay, by place: of the very bytes, and not older than what forced it."""
    there = {one.n: one for one in product.embedded}
    return {
        photo.n: there[photo.n].embedding
        for photo in product.wanted
        if photo.n in there
        and there[photo.n].sha256 == photo.sha256
        and (lease.forced_at is None or there[photo.n].embedded_at >= lease.forced_at)
    }


def _outcome(one: _CurrentEmbeddings) -> Outcome:
    lease, product = one.work.lease, one.work.product
    if one.failed is not None:
        return retry_later(lease, *one.failed, item_fault=True)
    if one.late:
        return released(lease)
    wanted = {photo.n for photo in product.wanted}
    removed = sum(there.n not in wanted for there in product.embedded)
    return done(
        lease,
        EmbeddingOutcome(product.product_id, sorted(wanted), one.new),
        photos_embedded=one.embedded,
        photos_reused=len(one.new) - one.embedded,
        photos_removed=removed,
    )
