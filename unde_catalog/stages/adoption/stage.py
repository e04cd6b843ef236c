"""Adoption of a brand's products: the objects that their rows name are read once, from our own storage, and recorded.

A photo that is there and decodes is recorded as stored under its key, whoever stored it. One that is missing or damaged
is due for `originals`, alone. So is a photo of a product that is still `pending` and whose object is there already: it
is recorded, and not fetched. Nothing is downloaded from a brand here.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.settings.environment import Settings
from unde_catalog.stages.adoption.named import all_photos, is_key, named_photos, photos_in_folder
from unde_catalog.stages.photos.decode import Refused
from unde_catalog.stages.photos.image import ImageLimits, check_whole, working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.ximilar_index.client import XimilarRefused, XimilarUnavailable
from unde_catalog.stages.ximilar_index.listing import CollectionListing, unrecorded_keys
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.objects.keys import collage_key, key_in_url, original_key, product_folder
from unde_catalog.stores.objects.objects import ObjectMissing, ObjectStore, is_usable
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.index.ximilar_rows import IndexedPhoto, IndexRecord
from unde_catalog.stores.staging.photos import adoption
from unde_catalog.stores.staging.photos.adoption import Adopted, UnrecordedProduct
from unde_catalog.stores.staging.photos.collages import MadeCollage
from unde_catalog.stores.staging.photos.originals import Photo
from unde_catalog.worker.handler import Outcome, done


@dataclass(frozen=True, slots=True)
class AdoptionWork:
    """A leased product."""

    lease: Lease
    product: UnrecordedProduct


@dataclass(slots=True)
class _Found:
    """What was found of a product so far; `damaged` and `missing` name objects for the log."""

    photos: list[Photo] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)  # keys of this project by those that it could not use
    bytes: int = 0
    records_not_found: int = 0
    records_left: int = 0


class RequestPace:
    """At most `per_second` requests a second, evenly, over the tasks of one event loop."""

    def __init__(self, per_second: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._gap, self._clock, self._next = 1 / per_second, clock, 0.0

    async def wait(self) -> None:
        """Return when it is this call's turn."""
        now = self._clock.now()
        turn = max(self._next, now)
        self._next = turn + self._gap
        if turn > now:
            await self._clock.sleep(turn - now)


class AdoptionStage:
    """Handler of the stage; objects are read and decoded in threads, within the photos' memory budget."""

    stage = adoption.STAGE
    batch = 1
    tries = 3
    interval: timedelta | None = None
    lease = timedelta(minutes=10)
    take_limit = 200

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        listing: CollectionListing | None,
        log: logging.Logger,
        clock: Clock = SYSTEM_CLOCK,
        *,
        trust_sizes: bool = False,
    ) -> None:
        """`listing`: of the Ximilar collection, None where none is configured.

        `trust_sizes`: record photos as the bucket lists them, without reading them; they are due again an hour later.
        """
        self.concurrency = 8
        self._listing, self._log, self._trust_sizes = listing, log, trust_sizes
        self._collection = listing.collection if listing else ""
        self._store = store
        self._limits = ImageLimits(max_bytes=settings.photo_max_bytes)
        self._memory = MemoryBudget(settings.originals_memory_mb * 1_000_000)
        self._pace = RequestPace(settings.adoption_requests_per_second, clock)

    async def __aenter__(self) -> "AdoptionStage":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass  # nothing is kept open

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[AdoptionWork]:
        """The products' rows."""
        products = adoption.load(cursor, [lease.product_id for lease in leases])
        return [AdoptionWork(lease, products[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[AdoptionWork]) -> AsyncIterator[Outcome]:
        """Read each product's objects."""
        for one in work:
            yield await self._adopt(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Photo and collage rows, and due rows of what is left to do."""
        adoption.record(cursor, [outcome.payload for outcome, current in outcomes if current and outcome.payload])

    async def _adopt(self, work: AdoptionWork) -> Outcome:
        product, found = work.product, _Found()
        named, sizes = named_photos(product), await self._sizes(product)
        for n, key in sorted(all_photos(named, list(sizes)).items()):
            if n in named or n <= len(product.source_urls):
                await self._photo(product, n, key, n in named, found, sizes if self._trust_sizes else None)
        if self._trust_sizes:
            self._warn(product, found)
            counts = {"photos_listed": len(found.photos), "photos_missing": len(found.missing), "bytes": found.bytes}
            adopted = Adopted(product, tuple(found.photos), tuple(found.lost), None, is_listed_only=True)
            return replace(done(work.lease, adopted), counts=counts)
        # Of another product, a collage would be older than its photos.
        damaged = len(found.damaged)
        collage = await self._collage(product, found) if product.image_status == "collage_ready" else None
        self._warn(product, found)
        records = await asyncio.to_thread(self._records, product, found)
        counts = {
            "photos_adopted": len(found.photos),
            "photos_missing": len(found.missing),
            "photos_damaged": damaged,
            "collages_adopted": int(collage is not None),
            "records_adopted": len(records),
            "records_not_found": found.records_not_found,
            "records_left": found.records_left,
            "bytes": found.bytes,
        }
        adopted = Adopted(product, tuple(found.photos), tuple(found.lost), collage, self._collection, tuple(records))
        adopted = replace(adopted, image_urls=self._image_urls(product, found))
        return replace(done(work.lease, adopted), counts=counts)

    def _records(self, product: UnrecordedProduct, found: _Found) -> list[IndexRecord]:
        """The product's records in Ximilar. Without them the stage ximilar_index looks before it sends anything."""
        keys = unrecorded_keys(product.synced_urls, ())
        if not keys or product.has_records:
            return []
        listing = self._listing  # another thread may set it to None
        if listing is None:
            found.records_left = len(keys)
            return []
        named = {copy: key for key, copy in found.copies.items()}
        photos = [
            IndexedPhoto(p.n, p.source_url, named.get(p.key or "", p.key or ""), p.sha256 or "", "")
            for p in found.photos
        ]
        try:
            records = listing.adopt(product.external_id, photos, product.synced_urls, keys, product.synced_at)
        except (XimilarUnavailable, XimilarRefused) as error:
            self._log.warning("records of Ximilar are adopted later, by ximilar_index: %s", error)
            self._listing = None  # not asked again for every product
            found.records_left = len(keys)
            return []
        found.records_not_found = len(keys) - len({record.url for record in records})
        return records

    def _image_urls(self, product: UnrecordedProduct, found: _Found) -> tuple[str, ...] | None:
        """The URLs of the photos where some were copied to another key."""
        if not found.copies:
            return None
        copies = ((url, found.copies.get(key_in_url(url) or "")) for url in product.image_urls)
        return tuple(self._store.public_url(copy) if copy else url for url, copy in copies)

    def _warn(self, product: UnrecordedProduct, found: _Found) -> None:
        lost = [f"missing {key}" for key in found.missing] + [f"damaged {key}" for key in found.damaged]
        if lost:
            self._log.warning("%s/%s: %s", product.brand, product.external_id, ", ".join(lost))

    async def _sizes(self, product: UnrecordedProduct) -> dict[str, int]:
        """Keys and bytes of the photos in the product's folder.

        None of a product that was reset to `pending`: whatever lies there may be older than its source.
        """
        if product.image_status == "pending" and product.image_urls:
            return {}
        await self._pace.wait()
        folder = product_folder(product.brand, product.external_id)
        infos = await asyncio.to_thread(lambda: list(self._store.list(folder)))
        photos = set(photos_in_folder(product, [info.key for info in infos]))
        return {info.key: info.size for info in infos if info.key in photos}

    async def _photo(
        self,
        product: UnrecordedProduct,
        n: int,
        key: str,
        is_named: bool,
        found: _Found,
        sizes: dict[str, int] | None,
    ) -> None:
        """Look at photo `n`; with the bucket's `sizes`, without reading it."""
        # Where the source no longer names the photo, its own key stands for the address.
        source_url = product.source_urls[n - 1] if n <= len(product.source_urls) else key
        if sizes is not None:
            if is_key(key) and not is_usable(key):
                return  # recorded when it is read
            size = sizes[key] if key in sizes else await self._size(key)
            if size is not None:
                found.photos.append(Photo(n, source_url, "stored", None, key, None, None, None, size))
                found.bytes += size
                return
        body = await self._get(key) if sizes is None else None
        if body is None:
            if is_named:
                found.missing.append(key)
                found.lost.append(n)
            return
        async with self._memory.reserve(await asyncio.to_thread(working_bytes, body, self._limits)):
            size = await asyncio.to_thread(check_whole, body, self._limits)
        if isinstance(size, Refused):
            found.damaged.append(f"{key} ({size.reason})")
            found.lost.append(n)
            return
        if not is_usable(key):
            found.copies[key] = original_key(product.brand, product.external_id, n)
            await self._store.put_async(found.copies[key], body, "image/jpeg")
            key = found.copies[key]
        sha256 = hashlib.sha256(body).hexdigest()
        found.photos.append(Photo(n, source_url, "stored", None, key, sha256, *size, len(body)))
        found.bytes += len(body)

    async def _collage(self, product: UnrecordedProduct, found: _Found) -> MadeCollage | None:
        key = key_in_url(product.collage_url or "") or collage_key(product.brand, product.external_id)
        body = await self._get(key)
        if body is None:
            return None
        if not body.startswith(_JPEG):
            found.damaged.append(f"{key} (not_a_jpeg)")
            return None
        async with self._memory.reserve(await asyncio.to_thread(working_bytes, body, _COLLAGE_LIMITS)):
            size = await asyncio.to_thread(check_whole, body, _COLLAGE_LIMITS)
        if isinstance(size, Refused):
            found.damaged.append(f"{key} ({size.reason})")
            return None
        found.bytes += len(body)
        return MadeCollage(product.collage_url or "", key, hashlib.sha256(body).hexdigest(), *size, len(body))

    async def _get(self, key: str) -> bytes | None:
        """The object, None where there is none."""
        if not is_key(key):
            return None
        await self._pace.wait()
        try:
            return await asyncio.to_thread(self._store.get if is_usable(key) else self._store.get_named, key)
        except (ObjectMissing, ValueError):
            return None

    async def _size(self, key: str) -> int | None:
        """The bytes of an object, None where there is none."""
        if not is_usable(key):
            return None
        await self._pace.wait()
        info = await asyncio.to_thread(self._store.head, key)
        return info.size if info else None


# A collage holds five photos side by side, and may be as wide as libjpeg writes. Only a JPEG is decoded at an eighth of
# its size, so nothing else of that size is opened.
_JPEG = b"\xff\xd8\xff"
_COLLAGE_LIMITS = ImageLimits(max_bytes=500_000_000, max_pixels=65_500 * 10_000)
