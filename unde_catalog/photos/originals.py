"""The originals stage: a product's first five photos, downloaded, validated and stored (spec 1).

How a download behaves is `net/`'s, what an image must be is `image.py`'s, leases and retries are `stage.py`'s.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from unde_catalog.net.download import Downloader, DownloadFailed, Manners, ProxyRefused
from unde_catalog.photos.decode import WORTH_ANOTHER_TRY, Refused
from unde_catalog.photos.image import normalise
from unde_catalog.settings import BrandSettings, Settings
from unde_catalog.stage import HandBack, Outcome, done, given_up, handed_back, try_later
from unde_catalog.staging import originals
from unde_catalog.staging.database import Cursor
from unde_catalog.staging.due_work import Lease
from unde_catalog.staging.originals import Photo, PhotosOutcome, PhotoUrls
from unde_catalog.storage.keys import original_key
from unde_catalog.storage.objects import PUT_SECONDS, ObjectStore


@dataclass(frozen=True, slots=True)
class PhotoWork:
    """A product in hand."""

    lease: Lease
    product: PhotoUrls


@dataclass(frozen=True, slots=True)
class _Payload:
    """What `record` needs beside the outcome: changed photo rows, how many photos there are, public URLs or None."""

    photos: tuple[Photo, ...]
    count: int
    image_urls: tuple[str, ...] | None


class OriginalsStage:
    """Handler of the stage for one brand; an async context manager around its connections."""

    stage = "originals"
    batch = 1
    tries = 3
    interval: timedelta | None = None

    def __init__(self, brand_settings: BrandSettings, settings: Settings, store: ObjectStore) -> None:
        proxy = brand_settings.proxy_url
        self.hands = brand_settings.concurrent_downloads
        self.take_at_most = settings.batch_size_of(self.stage)
        self.lease = timedelta(seconds=brand_settings.product_timeout + 5 * PUT_SECONDS + 60)
        self._seconds = brand_settings.product_timeout
        self._store = store
        self._downloader = Downloader(
            Manners(
                slots=brand_settings.concurrent_downloads,
                delay_min=brand_settings.download_delay_min,
                delay_max=brand_settings.download_delay_max,
                timeout=brand_settings.download_timeout,
                max_retries=brand_settings.max_retries,
                max_bytes=settings.photo_max_bytes,
            ),
            proxy_url=proxy.get_secret_value() if proxy else None,
            allow_private_hosts=settings.photo_allow_private_hosts,
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
            yield await self._product(one)

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Photo rows and the image columns."""
        originals.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    async def _product(self, work: PhotoWork) -> Outcome:
        lease, product = work.lease, work.product
        if not product.urls:
            await self._forget(work, product.known)
            return given_up(lease, "no_photos", "the source names no photo", payload=_Payload((), 0, None))
        kept = {photo.n: photo for photo in product.known if _still_good(photo, work)}
        deadline = asyncio.get_running_loop().time() + self._seconds
        fetched = await _all(
            self._photo(work, n, url, deadline) for n, url in enumerate(product.urls, start=1) if n not in kept
        )
        if None in fetched:
            return handed_back(lease)
        photos = [_or_what_we_have(photo, product) for photo in fetched if photo is not None]
        state = sorted([*kept.values(), *photos], key=lambda photo: photo.n)
        in_use = {photo.n for photo in state if photo.state in ("stored", "failed")}
        await self._forget(work, [photo for photo in product.known if photo.n not in in_use])
        return self._outcome(lease, state, [photo for photo in photos if photo not in product.known], product)

    def _outcome(self, lease: Lease, state: list[Photo], new: list[Photo], product: PhotoUrls) -> Outcome:
        """One outcome for a product whose photos stand as in `state`, `new` of them since just now."""
        stored = [photo for photo in state if photo.state == "stored"]
        failed = [photo for photo in state if photo.state == "failed"]
        refused = [photo for photo in state if photo.state in ("refused", "gone")]
        has_object = {photo.n for photo in product.known if photo.state == "stored"}
        rows = tuple(photo for photo in new if photo.state != "failed" or photo.n not in has_object)
        counts = {
            "photos_stored": sum(photo.state == "stored" for photo in new),
            "photos_kept": len(stored) - sum(photo.state == "stored" for photo in new),
            "photos_failed": len(failed) + len(refused),
            "bytes": sum(photo.bytes or 0 for photo in new if photo.state == "stored"),
        }
        unfinished = _Payload(rows, len(product.urls), None)
        if failed:
            return try_later(lease, *_why(failed), item_fault=False, payload=unfinished, **counts)
        may_heal = any(photo.reason in WORTH_ANOTHER_TRY for photo in refused) and lease.item_faults + 1 < self.tries
        if not stored or may_heal:
            return try_later(lease, *_why(refused), item_fault=True, payload=unfinished, **counts)
        urls = tuple(self._store.public_url(photo.key) for photo in stored if photo.key)
        return done(lease, _Payload(rows, len(product.urls), urls), **counts)

    async def _photo(self, work: PhotoWork, n: int, url: str, deadline: float) -> Photo | None:
        """Download, validate and store one photo; None when the lease does not last for storing it."""
        try:
            answer = await self._downloader.download(url, deadline)
        except ProxyRefused as error:
            raise HandBack(str(error)) from error
        if isinstance(answer, DownloadFailed):
            state = "gone" if answer.fault == "gone" else "refused" if answer.fault == "item" else "failed"
            return Photo(n, url, state, answer.reason)
        image = await asyncio.to_thread(normalise, answer.body)
        if isinstance(image, Refused):
            return Photo(n, url, "refused", image.reason)
        if work.lease.seconds_left() <= PUT_SECONDS:
            return None
        key = original_key(work.product.brand, work.product.external_id, n)
        await asyncio.to_thread(self._store.put, key, image.data, "image/jpeg")
        return Photo(n, url, "stored", None, key, image.sha256, image.width, image.height, len(image.data))

    async def _forget(self, work: PhotoWork, photos: Sequence[Photo]) -> None:
        """Delete objects that no photo of the product stands behind any more; its row follows with the outcome."""
        keys = [photo.key for photo in photos if photo.key]
        if keys and work.lease.seconds_left() > PUT_SECONDS:
            await asyncio.to_thread(self._store.delete, keys)


def _still_good(photo: Photo, work: PhotoWork) -> bool:
    """Whether a stored photo is the one the list names now, and was not forced since."""
    urls, forced_at = work.product.urls, work.lease.forced_at
    named = photo.n <= len(urls) and urls[photo.n - 1] == photo.source_url
    fresh = forced_at is None or (photo.fetched_at is not None and photo.fetched_at >= forced_at)
    return photo.state == "stored" and named and fresh


def _or_what_we_have(photo: Photo, product: PhotoUrls) -> Photo:
    """A photo that its own address no longer gives stays as it was stored: what we have is not thrown away."""
    for known in product.known:
        same = known.n == photo.n and known.source_url == photo.source_url and known.state == "stored"
        if same and photo.state in ("gone", "refused"):
            return known
    return photo


def _why(photos: Sequence[Photo]) -> tuple[str, str]:
    """Reason code and detail of a product whose photos these are."""
    listed = ", ".join(f"photo {photo.n} {photo.reason}" for photo in photos)
    return photos[0].reason or "unknown", listed


def _row(outcome: Outcome, current: bool) -> PhotosOutcome:
    settled, payload = outcome.settled, outcome.payload or _Payload((), originals.PHOTOS_A_PRODUCT, None)
    return PhotosOutcome(
        settled.lease.product_id,
        payload.photos,
        payload.count,
        payload.image_urls,
        f"{settled.reason}: {settled.detail}" if settled.reason else None,
        settled.kind == "given_up",
        current,
    )


async def _all(calls: Iterable[Coroutine[None, None, Photo | None]]) -> list[Photo | None]:
    """Await all at once; if one raises, the others are cancelled and awaited before it goes on."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
