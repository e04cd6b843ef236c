"""The originals stage: a product's first five photos, downloaded, validated and stored (spec 1).

How a download behaves is `net/`'s, what an image must be is `image.py`'s, leases and retries are `stage.py`'s.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from unde_catalog.handler import HandBack, Outcome, done, given_up, handed_back, try_later
from unde_catalog.net.answers import DownloadFailed
from unde_catalog.net.download import Downloader, FarSideDown, Manners
from unde_catalog.net.targets import Targets
from unde_catalog.net.waiting import REAL, Waiting
from unde_catalog.photos.decode import WORTH_ANOTHER_TRY, Refused
from unde_catalog.photos.image import Limits, StoredImage, normalise, working_bytes
from unde_catalog.photos.memory import MemoryBudget
from unde_catalog.settings import BrandSettings, Settings
from unde_catalog.staging import originals
from unde_catalog.staging.database import Cursor
from unde_catalog.staging.due_work import Lease
from unde_catalog.staging.originals import Photo, PhotosOutcome, PhotoUrls
from unde_catalog.storage.keys import original_key
from unde_catalog.storage.objects import PUT_SECONDS, ObjectMissing, ObjectStore, StorageDown

_MAY_HEAL = {*WORTH_ANOTHER_TRY, "broken_answer"}


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """A product in hand."""

    lease: Lease
    product: PhotoUrls


@dataclass(frozen=True, slots=True)
class _Try:
    """A photo that was asked for, and how it went in words."""

    photo: Photo
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Payload:
    """What `record` needs beside the outcome: photo rows to write, how many photos there are, all public URLs."""

    rows: tuple[Photo, ...]
    count: int
    image_urls: tuple[str, ...] | None


class _LeaseTooShort(Exception):
    """Nothing may be stored or deleted any more: it could come after another worker's."""


class OriginalsStage:
    """Handler of the stage for one brand; an async context manager around its connections."""

    stage = "originals"
    batch = 1
    tries = 3
    interval: timedelta | None = None

    def __init__(
        self, brand_settings: BrandSettings, settings: Settings, store: ObjectStore, waiting: Waiting = REAL
    ) -> None:
        slots = brand_settings.concurrent_downloads
        self.hands = 2 * slots  # a product may miss one photo only, and the next ones take a moment to come
        self.take_at_most = settings.batch_size_of(self.stage)
        self.lease = timedelta(seconds=brand_settings.product_timeout + 5 * PUT_SECONDS + 60)
        self._seconds = brand_settings.product_timeout
        self._store = store
        self._limits = Limits(max_bytes=settings.photo_max_bytes)
        self._memory = MemoryBudget(settings.originals_memory_mb * 1_000_000)
        self._in_memory = asyncio.Semaphore(3 * slots)  # whole files: being fetched, validated and stored
        self._moving = asyncio.Semaphore(2)  # products whose photos are read to be stored under other keys
        proxy = brand_settings.proxy_url
        everywhere = settings.photo_allow_private_hosts
        self._downloader = Downloader(
            Manners(
                slots=slots,
                delay_min=brand_settings.download_delay_min,
                delay_max=brand_settings.download_delay_max,
                timeout=brand_settings.download_timeout,
                max_retries=brand_settings.max_retries,
                max_bytes=settings.photo_max_bytes,
            ),
            Targets(hosts=brand_settings.photo_hosts if proxy else None, anywhere=everywhere),
            proxy_url=proxy.get_secret_value() if proxy else None,
            proxy_ca_bundle=settings.proxy_ca_bundle,
            waiting=waiting,
        )

    async def __aenter__(self) -> "OriginalsStage":
        await self._downloader.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._downloader.__aexit__()

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[PhotoWork]:
        """The products' photo URLs and what is stored of them."""
        products = originals.load(cursor, [lease.product_id for lease in leases])
        return [PhotoWork(lease, products[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[PhotoWork]) -> AsyncIterator[Outcome]:
        """Fetch what is not stored yet, drop what left the list, and say how each product stands."""
        for one in work:
            outcome, stopped = await self._product(one)
            yield outcome
            if stopped is not None:
                raise stopped

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Photo rows and the image columns."""
        originals.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    async def _product(self, work: PhotoWork) -> tuple[Outcome, HandBack | StorageDown | None]:
        """The outcome, and what stops the stage. What was stored before that is in the outcome."""
        lease, product = work.lease, work.product
        there = [photo for photo in product.known if _still_good(photo, work)]
        try:
            there += await self._moved(work, {photo.n for photo in there})
        except StorageDown as error:
            return handed_back(lease), error
        except _LeaseTooShort:
            return handed_back(lease), None
        have = {photo.n for photo in there}
        deadline = self._downloader.now() + self._seconds
        missing = [(n, url) for n, url in enumerate(product.urls, start=1) if n not in have]
        results = await asyncio.gather(
            *(self._photo(work, n, url, deadline) for n, url in missing), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, HandBack | StorageDown | _LeaseTooShort):
                raise result
        tries = [result for result in results if isinstance(result, _Try)]
        settled = [_or_what_we_have(one.photo, product) for one in tries]
        state = sorted([*there, *settled], key=lambda photo: photo.n)
        stopped = next((result for result in results if isinstance(result, HandBack | StorageDown)), None)
        try:
            if len(tries) == len(results):
                await self._forget(work, {photo.n for photo in state if photo.key})
                return self._outcome(work, state, tries), None
        except StorageDown as error:
            stopped = error
        except _LeaseTooShort:
            pass
        rows = tuple(photo for photo in state if photo.state == "stored" and photo not in product.known)
        back = handed_back(lease)
        return replace(back, payload=_Payload(rows, originals.PHOTOS_A_PRODUCT, None)), stopped

    def _outcome(self, work: PhotoWork, state: list[Photo], tries: list[_Try]) -> Outcome:
        """One outcome for a product whose photos stand as in `state` after these `tries`."""
        lease, product = work.lease, work.product
        stored = [photo for photo in state if photo.key]
        failed = [one for one in tries if one.photo.state == "failed"]
        bad = [one for one in tries if one.photo.state in ("refused", "gone")]
        fresh = [one.photo for one in tries if one.photo.state == "stored"]
        counts = {
            "photos_stored": len(fresh),
            "photos_kept": len(stored) - len(fresh),
            "photos_failed": len(failed) + len(bad),
            "bytes": sum(photo.bytes or 0 for photo in fresh),
        }
        rows = tuple(photo for photo in state if photo not in product.known)
        urls = tuple(self._store.public_url(photo.key) for photo in stored if photo.key)
        payload = _Payload(rows, len(product.urls), urls)
        if not product.urls:
            return given_up(lease, "no_photos", "the source names no photo", payload=payload)
        if failed:
            return try_later(lease, *_why(failed), item_fault=False, payload=payload, **counts)
        may_heal = any(one.photo.reason in _MAY_HEAL for one in bad) and lease.item_faults + 1 < self.tries
        if not stored or may_heal:
            return try_later(lease, *_why(bad), item_fault=True, payload=payload, **counts)
        return done(lease, payload, **counts)

    async def _photo(self, work: PhotoWork, n: int, url: str, deadline: float) -> _Try:
        """Download, validate and store one photo. Raises HandBack, `StorageDown` and `_LeaseTooShort`."""
        async with self._in_memory:
            try:
                answer = await self._downloader.download(url, deadline, owner=work.product.product_id)
            except FarSideDown as error:
                raise HandBack(str(error)) from None
            if isinstance(answer, DownloadFailed):
                state = "gone" if answer.fault == "gone" else "refused" if answer.fault == "item" else "failed"
                return _Try(Photo(n, url, state, answer.reason), answer.detail)
            async with self._memory.reserve(await asyncio.to_thread(working_bytes, answer.body, self._limits)):
                image = await asyncio.to_thread(normalise, answer.body, self._limits)
            if isinstance(image, Refused):
                return _Try(Photo(n, url, "refused", image.reason), image.detail)
            return _Try(await self._store_photo(work, n, url, image))

    async def _store_photo(self, work: PhotoWork, n: int, url: str, image: StoredImage) -> Photo:
        key = original_key(work.product.brand, work.product.external_id, n)
        size = len(image.data)
        if (key, image.sha256) not in {(photo.key, photo.sha256) for photo in work.product.known} or (
            (there := await asyncio.to_thread(self._store.head, key)) is None or there.size != size
        ):
            await self._put(work, key, image.data)
        return Photo(n, url, "stored", None, key, image.sha256, image.width, image.height, size)

    async def _moved(self, work: PhotoWork, have: set[int]) -> list[Photo]:
        """Photos that only changed their place in the list, copied under their new keys instead of asked for again."""
        known = {photo.source_url: photo for photo in work.product.known if _stored_and_fresh(photo, work)}
        places = [(n, known[url]) for n, url in enumerate(work.product.urls, 1) if n not in have and url in known]
        if not places:
            return []
        async with self._moving:
            # All are read before the first is written: two may have changed places.
            bodies = [await asyncio.to_thread(self._read, photo) for _, photo in places]
            moved = []
            for (n, photo), body in zip(places, bodies, strict=True):
                if body is not None:
                    key = original_key(work.product.brand, work.product.external_id, n)
                    await self._put(work, key, body)
                    moved.append(replace(photo, n=n, key=key, reason=None))
            return moved

    def _read(self, photo: Photo) -> bytes | None:
        """The stored photo, None where the object is not what the row says."""
        try:
            body = self._store.get(photo.key or "")
        except ObjectMissing:
            return None
        return body if hashlib.sha256(body).hexdigest() == photo.sha256 else None

    async def _put(self, work: PhotoWork, key: str, body: bytes) -> None:
        if work.lease.seconds_left() <= PUT_SECONDS:
            raise _LeaseTooShort
        await asyncio.to_thread(self._store.put, key, body, "image/jpeg")

    async def _forget(self, work: PhotoWork, in_use: set[int]) -> None:
        """Delete objects that no photo of the product stands behind any more; their rows follow with the outcome."""
        keys = [photo.key for photo in work.product.known if photo.key and photo.n not in in_use]
        if not keys:
            return
        if work.lease.seconds_left() <= PUT_SECONDS:
            raise _LeaseTooShort
        await asyncio.to_thread(self._store.delete, keys)


def _stored_and_fresh(photo: Photo, work: PhotoWork) -> bool:
    """Whether a photo is stored, and was not asked for anew since."""
    forced_at = work.lease.forced_at
    fresh = forced_at is None or (photo.fetched_at is not None and photo.fetched_at >= forced_at)
    return photo.state == "stored" and fresh


def _still_good(photo: Photo, work: PhotoWork) -> bool:
    """Whether a stored photo is the one that the list names now in its place."""
    urls = work.product.urls
    return photo.n <= len(urls) and urls[photo.n - 1] == photo.source_url and _stored_and_fresh(photo, work)


def _or_what_we_have(photo: Photo, product: PhotoUrls) -> Photo:
    """The photo, or the stored one that stays in its place, with the reason why there is no newer one.

    What we have of the same address is not thrown away when the address no longer gives it; a former photo stays
    while a fault of the far side hides its successor, unless it is elsewhere in the list now.
    """
    for known in product.known:
        if known.n == photo.n and known.state == "stored" and photo.state != "stored":
            same = known.source_url == photo.source_url
            if same or (photo.state == "failed" and known.source_url not in product.urls):
                return replace(known, reason=photo.reason)
    return photo


def _why(tries: Sequence[_Try]) -> tuple[str, str]:
    """Reason code and detail of a product whose photos went so."""
    listed = [f"photo {one.photo.n} {one.photo.reason}" + (f" ({one.detail})" if one.detail else "") for one in tries]
    return tries[0].photo.reason or "unknown", ", ".join(listed)


def _row(outcome: Outcome, current: bool) -> PhotosOutcome:
    settled, payload = outcome.settled, outcome.payload or _Payload((), originals.PHOTOS_A_PRODUCT, None)
    return PhotosOutcome(
        settled.lease.product_id,
        settled.kind,
        payload.rows,
        payload.count,
        payload.image_urls,
        f"{settled.reason}: {settled.detail}" if settled.reason else None,
        current,
    )
