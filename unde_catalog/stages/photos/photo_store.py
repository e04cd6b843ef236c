"""A product's photos in the object store: put, moved and deleted so that a worker may die at any moment.

Before an object changes, a row of photo_intents says how, and is on disk. Whoever finds such a row looks at the
objects themselves: what is stored already is neither asked for again nor taken for something else.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from unde_catalog.stores.db.database import Database
from unde_catalog.stores.objects.keys import aside_key, is_aside, original_key, product_folder
from unde_catalog.stores.objects.objects import PUT_SECONDS, ObjectMissing, ObjectStore
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.photos import originals
from unde_catalog.stores.staging.photos.originals import Photo, PhotoUrls

_JPEG = "image/jpeg"


class LeaseTooShort(Exception):
    """Nothing may be stored or deleted any more: it could come after another worker's."""


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """A product in hand. `asides`: keys of copies made while photos changed places."""

    lease: Lease
    product: PhotoUrls
    asides: set[str] = field(default_factory=set)

    def key(self, n: int) -> str:
        """The key of the product's photo `n`."""
        return original_key(self.product.brand, self.product.external_id, n)


class PhotoStore:
    """The objects of products in hand; raises `StorageUnavailable`, `DatabaseUnavailable` and `LeaseTooShort`."""

    def __init__(self, store: ObjectStore, db: Database) -> None:
        self._store, self._db = store, db
        self._moving = asyncio.Semaphore(2)  # products whose photos are read to be stored under other keys
        self._waiting: list[tuple[Lease, Sequence[Photo], asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def known(self, work: PhotoWork) -> tuple[Photo, ...]:
        """The product's photo rows; after a worker that died, those whose object is there, under its present key."""
        product = work.product
        if not product.intents:
            return product.known
        rows = [*product.intents, *(photo for photo in product.known if photo.state == "stored")]
        folder = product_folder(product.brand, product.external_id)
        keys = await asyncio.to_thread(lambda: [info.key for info in self._store.list(folder)])
        work.asides.update(key for key in keys if is_aside(key))
        places: dict[str, list[str]] = {}
        for key in sorted(keys):
            body = await asyncio.to_thread(self._get, key)
            if body is not None:
                places.setdefault(hashlib.sha256(body).hexdigest(), []).append(key)
        found: dict[tuple[int, str, str | None], Photo] = {}
        for photo in rows:
            at = places.get(photo.sha256 or "", ())
            if at:
                key = photo.key if photo.key in at else at[0]
                found.setdefault((photo.n, photo.source_url, photo.sha256), replace(photo, key=key))
        return (*found.values(), *(photo for photo in product.known if photo.state != "stored"))

    async def put(self, work: PhotoWork, photo: Photo, body: bytes) -> None:
        """Store a photo under its key, unless it is there already."""
        rows = {(one.key, one.sha256) for one in work.product.known}
        if not work.product.intents and (photo.key, photo.sha256) in rows:
            there = await asyncio.to_thread(self._store.head, photo.key or "")
            if there is not None and there.size == len(body):
                return
        await self._intend(work, [photo])
        await self._put(work, photo.key or "", body)

    async def move(self, work: PhotoWork, places: Sequence[tuple[int, Photo]]) -> list[Photo]:
        """Copy stored photos to new places (n) of the product, but none whose object is not what its row says.

        Until the last is copied, each is somewhere: under its old key, its new one, or aside.
        """
        if not places:
            return []
        async with self._moving:
            to_do: dict[int, tuple[Photo, bytes]] = {}
            for n, photo in places:
                body = await asyncio.to_thread(self._read, photo)
                if body is not None:
                    to_do[n] = (photo, body)
            moved = [replace(photo, n=n, key=work.key(n), reason=None) for n, (photo, _) in to_do.items()]
            if moved:
                await self._intend(work, moved)
            while to_do:
                sources = {n: photo.key for n, (photo, _) in to_do.items()}
                free = [n for n in to_do if all(work.key(n) != key for other, key in sources.items() if other != n)]
                for n in free:
                    await self._put(work, work.key(n), to_do.pop(n)[1])
                if not free:  # they changed places in a circle
                    n, (photo, body) = next(iter(to_do.items()))
                    aside = _aside(work, photo)
                    work.asides.add(aside)
                    await self._put(work, aside, body)
                    to_do[n] = (replace(photo, key=aside), body)
            return moved

    async def forget(self, work: PhotoWork, known: Iterable[Photo], in_use: set[str | None]) -> None:
        """Delete objects that no photo of the product stands behind any more; their rows follow with the outcome."""
        left = {photo.key: photo for photo in known if photo.key and photo.key not in in_use}
        if left:
            rows = {photo.n: photo for photo in left.values() if photo.key == work.key(photo.n)}
            await self._intend(work, list(rows.values()))
        keys = [*left, *(work.asides - in_use - left.keys())]
        if keys:
            _must_last(work)
            await asyncio.to_thread(self._store.delete, [key for key in keys if key])

    async def _intend(self, work: PhotoWork, photos: Sequence[Photo]) -> None:
        """Wait until it is on disk what becomes of these objects; those of many products share a transaction."""
        _must_last(work)
        if not photos:
            return
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((work.lease, photos, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        if not await written:
            raise LeaseTooShort

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                ours = await asyncio.to_thread(
                    self._db.run, originals.intend, [(lease, photos) for lease, photos, _ in group]
                )
            except BaseException as error:
                for _, _, written in group:
                    if not written.done():
                        written.set_exception(error)
                continue
            for lease, _, written in group:
                if not written.done():  # whoever waited may have been cancelled
                    written.set_result(lease.product_id in ours)

    async def _put(self, work: PhotoWork, key: str, body: bytes) -> None:
        _must_last(work)
        await asyncio.to_thread(self._store.put, key, body, _JPEG)

    def _get(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)
        except ObjectMissing:
            return None

    def _read(self, photo: Photo) -> bytes | None:
        """The stored photo, None where the object is not what the row says."""
        body = self._get(photo.key or "")
        return body if body is not None and hashlib.sha256(body).hexdigest() == photo.sha256 else None


def _must_last(work: PhotoWork) -> None:
    if work.lease.seconds_left() <= PUT_SECONDS:
        raise LeaseTooShort


def _aside(work: PhotoWork, photo: Photo) -> str:
    return aside_key(work.product.brand, work.product.external_id, photo.sha256 or "")
