"""The visual_index stage: embeds each stored photo of products in the index's scope once.

Embeddings are rows of the staging database, written with the outcome. A mirror (Qdrant) is updated before that, and
again if the outcome is not written. Models are in `model.py`.
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
from unde_catalog.stages.visual_index.model_image import IMAGE_BYTES, model_image
from unde_catalog.stages.visual_index.vector_store import (
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
Failure = tuple[str, str]  # reason code and detail
_MIRROR_SECONDS = 60.0  # the mirror is not updated for a lease with less time left
_BYTES_PER_PIXEL = 7  # of a progressive JPEG, at any scale


@dataclass(frozen=True, slots=True)
class EmbedWork:
    """A leased product.

    `reusable`: embeddings of the same bytes on any product, by SHA-256. `newest`: the model that photos are embedded
    with now.
    """

    lease: Lease
    product: EmbeddedProduct
    reusable: dict[str, Vector]
    newest: str | None


@dataclass(slots=True)
class _ProductEmbeddings:
    """The state of a leased product's embeddings: vectors by photo number, new vectors, and a failure."""

    work: EmbedWork
    vectors: dict[int, Vector] = field(default_factory=dict)
    new: list[NewEmbedding] = field(default_factory=list)
    embedded: int = 0
    failed: Failure | None = None
    lease_too_short: bool = False

    def add(self, photo: PhotoToEmbed, vector: Vector) -> None:
        """Add an embedding that is not written yet."""
        self.vectors[photo.n] = vector
        self.new.append(NewEmbedding(photo.n, photo.sha256, vector))


class VisualIndexStage:
    """Handler of the stage. Photos are decoded and embedded in threads, at the model's concurrency."""

    stage = STAGE
    batch = 4  # products: about twenty photos
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
        """`mirror`: a vector store that is kept up to date with the staging database."""
        self._model, self._store, self._mirror = model, store, mirror
        self.concurrency, self.take_limit = model.concurrency, take_limit
        self._memory = MemoryBudget(memory_mb * 1_000_000)

    async def __aenter__(self) -> "VisualIndexStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # nothing is open

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[EmbedWork]:
        """Load the products' photos, their embeddings, and embeddings of the same photos on other products."""
        products = embeddings.load(cursor, self._model.name, [lease.product_id for lease in leases])
        missing = {
            photo.sha256
            for lease in leases
            for photo in products[lease.product_id].target_photos
            if photo.n not in _current_vectors(lease, products[lease.product_id]) and lease.forced_at is None
        }
        reusable = embeddings.of_contents(cursor, self._model.name, list(missing)) if missing else {}
        now = models.current(cursor)
        newest = now.building or now.serving
        return [EmbedWork(lease, products[lease.product_id], reusable, newest) for lease in leases]

    async def handle(self, work: Sequence[EmbedWork]) -> AsyncIterator[Outcome]:
        """Embed photos without an embedding, and update the mirror."""
        newest = work[0].newest
        if newest != self._model.name:  # its embeddings would be useless, and the products not due for the new model
            raise AbortStage(f"photos are now embedded by {newest}, but this run started with {self._model.name}")
        largest = max((photo.pixels for one in work for photo in one.product.target_photos), default=0)
        photos = sum(len(one.product.target_photos) for one in work)
        async with self._memory.reserve(largest * _BYTES_PER_PIXEL + photos * IMAGE_BYTES):
            products = await asyncio.to_thread(self._embed, work)
        try:
            if self._mirror is not None:
                await asyncio.to_thread(self._update_mirror, products, self._mirror)
        except VectorStoreUnavailable as unavailable:
            raise AbortStage(str(unavailable)) from unavailable
        for one in products:
            yield _outcome(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write new embeddings and delete obsolete ones."""
        rows = [outcome.payload for outcome, _ in outcomes if isinstance(outcome.payload, EmbeddingOutcome)]
        if rows:
            embeddings.record(cursor, self._model.name, rows)

    def _embed(self, work: Sequence[EmbedWork]) -> list[_ProductEmbeddings]:
        """Embed each photo of the batch once, even if several products have it."""
        products = [_ProductEmbeddings(one) for one in work]
        images: dict[str, Image.Image | Failure] = {}
        to_embed: list[tuple[_ProductEmbeddings, PhotoToEmbed]] = []
        for one in products:
            lease, product = one.work.lease, one.work.product
            current = _current_vectors(lease, product)
            for photo in product.target_photos:
                if photo.n in current:
                    one.vectors[photo.n] = current[photo.n]
                elif photo.sha256 in one.work.reusable and lease.forced_at is None:
                    one.add(photo, one.work.reusable[photo.sha256])
                else:
                    to_embed.append((one, photo))
                    if photo.sha256 not in images:
                        images[photo.sha256] = self._load_image(photo)
        readable = {sha256: image for sha256, image in images.items() if isinstance(image, Image.Image)}
        rows = self._model.embed_images(list(readable.values())) if readable else ()
        vectors = {sha256: row.tolist() for sha256, row in zip(readable, rows, strict=True)}
        uncounted = set(vectors)
        for one, photo in to_embed:
            image = images[photo.sha256]
            if isinstance(image, Image.Image):
                one.add(photo, vectors[photo.sha256])
                one.embedded += photo.sha256 in uncounted
                uncounted.discard(photo.sha256)
            else:
                one.failed = one.failed or image
        return products

    def _load_image(self, photo: PhotoToEmbed) -> Image.Image | Failure:
        try:
            data = self._store.get(photo.key)
        except ObjectMissing as missing:
            return "original_missing", str(missing)
        if hashlib.sha256(data).hexdigest() != photo.sha256:  # the embedding would belong to another photo
            return "original_changed", f"the hash of {photo.key} differs from its row: run unde-catalog verify --hashes"
        image = model_image(data)
        return (f"original_{image.reason}", image.detail) if isinstance(image, Refused) else image

    def _update_mirror(self, products: Sequence[_ProductEmbeddings], mirror: VectorStore) -> None:
        """Update the mirror for these products, except those whose lease is too short, which stay due."""
        updated: list[EmbeddedProduct] = []
        photos: list[PhotoVector] = []
        for one in products:
            if one.failed is not None:
                continue
            one.lease_too_short = one.work.lease.seconds_left() <= _MIRROR_SECONDS
            if not one.lease_too_short:
                updated.append(one.work.product)
                photos += _mirrored(one)
        if photos:
            mirror.upsert(self._model.name, photos)
        if updated:
            keep = {(photo.product_id, photo.n) for photo in photos}
            mirror.delete([product.product_id for product in updated], keep=keep)


def _mirrored(one: _ProductEmbeddings) -> list[PhotoVector]:
    product = one.work.product
    return [
        PhotoVector(
            product.product_id, product.source, product.external_id, product.brand, product.category, product.price,
            photo.n, photo.sha256, one.vectors[photo.n],
        )
        for photo in product.target_photos
    ]  # fmt: skip


def _current_vectors(lease: Lease, product: EmbeddedProduct) -> dict[int, Vector]:
    """The embeddings that remain valid, by photo number: of the same bytes, and made since the product was forced."""
    existing = {one.n: one for one in product.embedded}
    return {
        photo.n: existing[photo.n].embedding
        for photo in product.target_photos
        if photo.n in existing
        and existing[photo.n].sha256 == photo.sha256
        and (lease.forced_at is None or existing[photo.n].embedded_at >= lease.forced_at)
    }


def _outcome(one: _ProductEmbeddings) -> Outcome:
    lease, product = one.work.lease, one.work.product
    if one.failed is not None:
        return retry_later(lease, *one.failed, item_fault=True)
    if one.lease_too_short:
        return released(lease)
    numbers = {photo.n for photo in product.target_photos}
    removed = sum(existing.n not in numbers for existing in product.embedded)
    return done(
        lease,
        EmbeddingOutcome(product.product_id, sorted(numbers), one.new),
        photos_embedded=one.embedded,
        photos_reused=len(one.new) - one.embedded,
        photos_removed=removed,
    )
