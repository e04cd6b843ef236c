"""A product's photos in the object store: put, moved and deleted so that a worker may be killed at any moment.

Before an object changes, a row of photo_intents that describes the change is committed to disk. A worker that finds
such a row reads the objects themselves, so nothing is downloaded twice and no object is taken for another.
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
    """The lease may expire before an object is stored or deleted, and another worker may have the product then."""


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """A leased product. `temporary_keys`: keys of copies made while photos changed positions."""

    lease: Lease
    product: PhotoUrls
    temporary_keys: set[str] = field(default_factory=set)

    def key(self, n: int) -> str:
        """The key of the product's photo `n`."""
        return original_key(self.product.brand, self.product.external_id, n)


class PhotoStore:
    """The objects of leased products. Raises `StorageUnavailable`, `DatabaseUnavailable` and `LeaseTooShort`."""

    def __init__(self, store: ObjectStore, db: Database) -> None:
        self._store, self._db = store, db
        self._moving = asyncio.Semaphore(2)  # products whose photos are in memory to be stored under other keys
        self._pending: list[tuple[Lease, Sequence[Photo], asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def known(self, work: PhotoWork) -> tuple[Photo, ...]:
        """The product's photo rows. After a killed worker, stored photos are those whose object is found."""
        product = work.product
        if not product.intents:
            return product.known
        rows = [*product.intents, *(photo for photo in product.known if photo.state == "stored")]
        folder = product_folder(product.brand, product.external_id)
        keys = await asyncio.to_thread(lambda: [info.key for info in self._store.list(folder)])
        work.temporary_keys.update(key for key in keys if is_aside(key))
        keys_by_hash: dict[str, list[str]] = {}
        for key in sorted(keys):
            body = await asyncio.to_thread(self._get, key)
            if body is not None:
                keys_by_hash.setdefault(hashlib.sha256(body).hexdigest(), []).append(key)
        found: dict[tuple[int, str, str | None], Photo] = {}
        for photo in rows:
            same = keys_by_hash.get(photo.sha256 or "", ())
            if same:
                key = photo.key if photo.key in same else same[0]
                found.setdefault((photo.n, photo.source_url, photo.sha256), replace(photo, key=key))
        return (*found.values(), *(photo for photo in product.known if photo.state != "stored"))

    async def put(self, work: PhotoWork, photo: Photo, body: bytes) -> None:
        """Store a photo under its key, unless it is stored already."""
        rows = {(one.key, one.sha256) for one in work.product.known}
        if not work.product.intents and (photo.key, photo.sha256) in rows:
            stored = await asyncio.to_thread(self._store.head, photo.key or "")
            if stored is not None and stored.size == len(body):
                return
        await self._intend(work, [photo])
        await self._put(work, photo.key or "", body)

    async def move(self, work: PhotoWork, positions: Sequence[tuple[int, Photo]]) -> list[Photo]:
        """Copy stored photos to new positions (n) of the product; skips photos whose object differs from their row.

        Until all are copied, each photo is stored under its old, its new or a temporary key.
        """
        if not positions:
            return []
        async with self._moving:
            to_do: dict[int, tuple[Photo, bytes]] = {}
            for n, photo in positions:
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
                if not free:  # a cycle
                    n, (photo, body) = next(iter(to_do.items()))
                    temporary = _temporary_key(work, photo)
                    work.temporary_keys.add(temporary)
                    await self._put(work, temporary, body)
                    to_do[n] = (replace(photo, key=temporary), body)
            return moved

    async def delete_unused(self, work: PhotoWork, known: Iterable[Photo], in_use: set[str | None]) -> None:
        """Delete objects that no photo of the product uses any more; the outcome deletes their rows."""
        unused = {photo.key: photo for photo in known if photo.key and photo.key not in in_use}
        if unused:
            rows = {photo.n: photo for photo in unused.values() if photo.key == work.key(photo.n)}
            await self._intend(work, list(rows.values()))
        keys = [*unused, *(work.temporary_keys - in_use - unused.keys())]
        if keys:
            _require_lease(work)
            await asyncio.to_thread(self._store.delete, [key for key in keys if key])

    async def _intend(self, work: PhotoWork, photos: Sequence[Photo]) -> None:
        """Wait until the intents are committed to disk; intents of several products share a transaction."""
        _require_lease(work)
        if not photos:
            return
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pending.append((work.lease, photos, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        if not await written:
            raise LeaseTooShort

    async def _write(self) -> None:
        while self._pending:
            group, self._pending = self._pending, []
            try:
                leased = await asyncio.to_thread(
                    self._db.run, originals.intend, [(lease, photos) for lease, photos, _ in group]
                )
            except BaseException as error:
                for _, _, written in group:
                    if not written.done():
                        written.set_exception(error)
                continue
            for lease, _, written in group:
                if not written.done():  # the waiting task may have been cancelled
                    written.set_result(lease.product_id in leased)

    async def _put(self, work: PhotoWork, key: str, body: bytes) -> None:
        _require_lease(work)
        await asyncio.to_thread(self._store.put, key, body, _JPEG)

    def _get(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)
        except ObjectMissing:
            return None

    def _read(self, photo: Photo) -> bytes | None:
        """The stored photo, None if the object is missing or differs from its row."""
        body = self._get(photo.key or "")
        return body if body is not None and hashlib.sha256(body).hexdigest() == photo.sha256 else None


def _require_lease(work: PhotoWork) -> None:
    if work.lease.seconds_left() <= PUT_SECONDS:
        raise LeaseTooShort


def _temporary_key(work: PhotoWork, photo: Photo) -> str:
    return aside_key(work.product.brand, work.product.external_id, photo.sha256 or "")
