"""The originals stage: a product's first five photos, downloaded, validated and stored (spec 1).

How a download behaves is `net/`'s, what an image must be is `image.py`'s, leases and retries are `worker/loop.py`'s.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.net.download import Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.responses import DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.settings.environment import BrandSettings, Settings
from unde_catalog.stages.photos.decode import WORTH_ANOTHER_TRY, Refused
from unde_catalog.stages.photos.image import ImageLimits, normalise, working_bytes
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.photos.photo_store import LeaseTooShort, PhotoStore, PhotoWork
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import PUT_SECONDS, ObjectStore, StorageUnavailable
from unde_catalog.stores.staging.due_work.work_queue import Lease
from unde_catalog.stores.staging.photos import originals
from unde_catalog.stores.staging.photos.originals import Photo, PhotosOutcome
from unde_catalog.worker.handler import AbortStage, Outcome, StoredObject, done, given_up, released, retry_later
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport

_MAY_HEAL = {*WORTH_ANOTHER_TRY, "broken_answer"}
_STOPS = (AbortStage, StorageUnavailable, DatabaseUnavailable)  # no item's fault: the stage stops


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


def run(stage_run: StageRun) -> StageReport:
    """Store the photos that are due of the brand; `StageStopped` when something prevents all of the work."""
    backends, brand = stage_run.backends, stage_run.brand
    settings = backends.settings
    handler = OriginalsStage(settings.brands[brand], settings, backends.store, backends.db)
    return run_worker(handler, backends.db, brand, stage_run.options, stage_run.log, stage_run.on_stored)


class OriginalsStage:
    """Handler of the stage for one brand; an async context manager around its connections."""

    stage = "originals"
    batch = 1
    tries = 3
    interval: timedelta | None = None

    def __init__(
        self,
        brand_settings: BrandSettings,
        settings: Settings,
        store: ObjectStore,
        db: Database,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        slots = brand_settings.concurrent_downloads
        self.concurrency = 2 * slots  # a product may miss one photo only, and the next ones take a moment to come
        self.take_limit = settings.batch_size_of(self.stage)
        self.lease = timedelta(seconds=brand_settings.product_timeout + 5 * PUT_SECONDS + 60)
        self._seconds = brand_settings.product_timeout
        self._public_url = store.public_url
        self._store = PhotoStore(store, db)
        self._limits = ImageLimits(max_bytes=settings.photo_max_bytes)
        self._memory = MemoryBudget(settings.originals_memory_mb * 1_000_000)
        self._in_memory = asyncio.Semaphore(3 * slots)  # whole files: being fetched, validated and stored
        proxy = brand_settings.proxy_url
        everywhere = settings.photo_allow_private_hosts
        self._downloader = Downloader(
            DownloadPolicy(
                slots=slots,
                delay_min=brand_settings.download_delay_min,
                delay_max=brand_settings.download_delay_max,
                timeout=brand_settings.download_timeout,
                max_retries=brand_settings.max_retries,
                max_bytes=settings.photo_max_bytes,
            ),
            UrlPolicy(hosts=brand_settings.photo_hosts if proxy else None, any_host=everywhere),
            proxy_url=proxy.get_secret_value() if proxy else None,
            proxy_ca_bundle=settings.proxy_ca_bundle,
            clock=clock,
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
            async for outcome in self._product(one):
                yield outcome

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Photo rows and the image columns."""
        originals.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    async def _product(self, work: PhotoWork) -> AsyncIterator[Outcome]:
        """Yield the product's one outcome, with what was stored until then; then raise what stops the stage, if any."""
        lease, product = work.lease, work.product
        try:
            known = await self._store.known(work)
            there = [photo for photo in known if _still_good(photo, work)]
            there += await self._store.move(work, _moved(work, known, {photo.n for photo in there}))
        except (StorageUnavailable, DatabaseUnavailable):
            yield released(lease)
            raise
        except LeaseTooShort:
            yield released(lease)
            return
        have = {photo.n for photo in there}
        deadline = self._downloader.now() + self._seconds
        missing = [(n, url) for n, url in enumerate(product.urls, start=1) if n not in have]
        results = await asyncio.gather(
            *(self._photo(work, n, url, deadline) for n, url in missing), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, (*_STOPS, LeaseTooShort)):
                raise result
        tries = [result for result in results if isinstance(result, _Try)]
        settled = [_or_what_we_have(one.photo, work, known) for one in tries]
        state = sorted([*there, *settled], key=lambda photo: photo.n)
        stopped = next((result for result in results if isinstance(result, _STOPS)), None)
        if len(tries) == len(results):
            try:
                await self._store.forget(work, known, {photo.key for photo in state})
            except (StorageUnavailable, DatabaseUnavailable) as error:
                stopped = error
            except LeaseTooShort:
                pass
            else:
                yield self._outcome(work, state, tries)
                return
        rows = tuple(photo for photo in state if photo.state == "stored" and photo not in product.known)
        yield replace(released(lease), payload=_Payload(rows, originals.PHOTOS_A_PRODUCT, None))
        if stopped is not None:
            raise stopped

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
        urls = tuple(self._public_url(photo.key) for photo in stored if photo.key)
        there_before = {(photo.key, photo.sha256) for photo in product.known}
        new = [_stored_object(work, photo) for photo in stored if (photo.key, photo.sha256) not in there_before]
        payload = _Payload(rows, len(product.urls), urls)
        if not product.urls:
            return given_up(lease, "no_photos", "the source names no photo", payload=payload)
        if failed:
            return retry_later(lease, *_why(failed), item_fault=False, payload=payload, stored=new, **counts)
        may_heal = any(one.photo.reason in _MAY_HEAL for one in bad) and lease.item_faults + 1 < self.tries
        if not stored or may_heal:
            return retry_later(lease, *_why(bad), item_fault=True, payload=payload, stored=new, **counts)
        return done(lease, payload, stored=new, **counts)

    async def _photo(self, work: PhotoWork, n: int, url: str, deadline: float) -> _Try:
        """Download, validate and store one photo.

        Raises AbortStage, `StorageUnavailable`, `DatabaseUnavailable`, `LeaseTooShort`.
        """
        async with self._in_memory:
            try:
                answer = await self._downloader.download(url, deadline, owner=work.product.product_id)
            except UpstreamUnavailable as error:
                raise AbortStage(str(error)) from None
            if isinstance(answer, DownloadFailed):
                state = "gone" if answer.fault == "gone" else "refused" if answer.fault == "item" else "failed"
                return _Try(Photo(n, url, state, answer.reason), answer.detail)
            async with self._memory.reserve(await asyncio.to_thread(working_bytes, answer.body, self._limits)):
                image = await asyncio.to_thread(normalise, answer.body, self._limits)
            if isinstance(image, Refused):
                return _Try(Photo(n, url, "refused", image.reason), image.detail)
            photo = Photo(n, url, "stored", None, work.key(n), image.sha256, image.width, image.height, len(image.data))
            await self._store.put(work, photo, image.data)
            return _Try(photo)


def _stored_and_fresh(photo: Photo, work: PhotoWork) -> bool:
    """Whether a photo is stored, and was not asked for anew since."""
    forced_at = work.lease.forced_at
    fresh = forced_at is None or (photo.fetched_at is not None and photo.fetched_at >= forced_at)
    return photo.state == "stored" and fresh


def _still_good(photo: Photo, work: PhotoWork) -> bool:
    """Whether a stored photo is the one that the list names now in its place."""
    urls = work.product.urls
    listed = photo.n <= len(urls) and urls[photo.n - 1] == photo.source_url
    return listed and photo.key == work.key(photo.n) and _stored_and_fresh(photo, work)


def _moved(work: PhotoWork, known: Sequence[Photo], have: set[int]) -> list[tuple[int, Photo]]:
    """Photos that only changed their place in the list: copied under new keys instead of asked for again."""
    stored = {photo.source_url: photo for photo in known if _stored_and_fresh(photo, work)}
    return [(n, stored[url]) for n, url in enumerate(work.product.urls, 1) if n not in have and url in stored]


def _or_what_we_have(photo: Photo, work: PhotoWork, rows: Sequence[Photo]) -> Photo:
    """The photo, or the stored one that stays in its place, with the reason why there is no newer one.

    What we have of the same address is not thrown away when the address no longer gives it; a former photo stays
    while a fault of the far side hides its successor, unless it is elsewhere in the list now.
    """
    for known in rows:
        if known.n == photo.n and known.key == work.key(photo.n) and photo.state != "stored":
            same = known.source_url == photo.source_url
            if same or (photo.state == "failed" and known.source_url not in work.product.urls):
                return replace(known, reason=photo.reason)
    return photo


def _stored_object(work: PhotoWork, photo: Photo) -> StoredObject:
    return StoredObject(
        work.product.external_id, photo.n, photo.key or "", photo.sha256 or "", photo.width or 0, photo.height or 0,
        photo.bytes or 0, photo.source_url,
    )  # fmt: skip


def _why(tries: Sequence[_Try]) -> tuple[str, str]:
    """Reason code and detail of a product whose photos went so."""
    listed = [f"photo {one.photo.n} {one.photo.reason}" + (f" ({one.detail})" if one.detail else "") for one in tries]
    return tries[0].photo.reason or "unknown", ", ".join(listed)


def _row(outcome: Outcome, current: bool) -> PhotosOutcome:
    settled, payload = outcome.lease_outcome, outcome.payload or _Payload((), originals.PHOTOS_A_PRODUCT, None)
    return PhotosOutcome(
        settled.lease.product_id,
        settled.kind,
        payload.rows,
        payload.count,
        payload.image_urls,
        f"{settled.reason}: {settled.detail}" if settled.reason else None,
        current,
    )
