"""The originals stage: downloads, validates and stores the first five photos of a product.

Downloads are in `net/`, the requirements of an image in `image.py`, leases and retries in `worker/loop.py`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from unde_catalog.net.clock import SYSTEM_CLOCK, Clock
from unde_catalog.net.download import Downloader, DownloadPolicy, UpstreamUnavailable
from unde_catalog.net.responses import REFUSALS, Downloaded, DownloadFailed
from unde_catalog.net.url_policy import UrlPolicy
from unde_catalog.settings.environment import BrandSettings, Settings
from unde_catalog.stages.photos.decode import RETRYABLE_REASONS, Refused
from unde_catalog.stages.photos.image import ImageLimits, normalise, working_bytes
from unde_catalog.stages.photos.known_photos import is_current, moved, or_stored
from unde_catalog.stages.photos.memory import MemoryBudget
from unde_catalog.stages.photos.photo_store import LeaseTooShort, PhotoStore, PhotoWork
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.objects.objects import PUT_SECONDS, ObjectStore, StorageUnavailable
from unde_catalog.stores.staging.due_work import host_holds
from unde_catalog.stores.staging.due_work.work_queue import LONGEST_WAIT, Lease
from unde_catalog.stores.staging.photos import originals
from unde_catalog.stores.staging.photos.originals import Photo, PhotosOutcome
from unde_catalog.worker.handler import AbortStage, Outcome, StoredObject, done, given_up, released, retry_later
from unde_catalog.worker.loop import run_worker
from unde_catalog.worker.report import StageReport

# Photos that are missing today may be there tomorrow: hosts show them late, and refuse some for a while.
_NEXT_DAY, _DAY = {"http_404", *REFUSALS}, timedelta(days=1)
_RETRYABLE = {*RETRYABLE_REASONS, "broken_answer"}
_LASTING = 4  # tries, in 19 hours or more: what still fails after them is no short outage
_REFUSED_FIRST, _ASKED_FOR = 5, 3  # photos: refused before a host is asked for others, and asked for at most
_STOPS = (AbortStage, StorageUnavailable, DatabaseUnavailable)  # no product's fault: the stage stops


@dataclass(frozen=True, slots=True)
class _PhotoResult:
    """A photo after its download, the details of a failure, and how many seconds its host asks to wait."""

    photo: Photo
    detail: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Payload:
    """What `record` needs besides the outcome: photo rows to write, the number of photos, and all public URLs.

    `goes_on`: the product is ready with the photos it has, while one of them waits for its next try.
    """

    rows: tuple[Photo, ...]
    count: int
    image_urls: tuple[str, ...] | None
    goes_on: bool = False


def run(stage_run: StageRun) -> StageReport:
    """Download the photos of the brand's due products; raises `StageStopped` if the stage can't go on."""
    backends, brand = stage_run.backends, stage_run.brand
    settings = backends.settings
    handler = OriginalsStage(brand, settings.brands[brand], settings, backends.store, backends.db)
    return run_worker(handler, backends.db, brand, stage_run.options, stage_run.log, stage_run.on_stored)


class OriginalsStage:
    """Handler of the stage for one brand; an async context manager around its connections."""

    stage = "originals"
    batch = 1
    tries = 3
    interval: timedelta | None = None

    def __init__(
        self,
        brand: str,
        brand_settings: BrandSettings,
        settings: Settings,
        store: ObjectStore,
        db: Database,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        slots = brand_settings.concurrent_downloads
        self.concurrency = 2 * slots  # keeps the slots busy when products lack only one photo
        self.take_limit = settings.batch_size_of(self.stage)
        self.lease = timedelta(seconds=brand_settings.product_timeout + 5 * PUT_SECONDS + 60)
        self._seconds = brand_settings.product_timeout
        self._public_url = store.public_url
        self._db, self._brand = db, brand
        self._store = PhotoStore(store, db)
        self._asking = asyncio.Lock()
        self._asked: set[str] = set()  # hosts that were asked for a photo that they sent before
        self._refused = 0
        self._limits = ImageLimits(max_bytes=settings.photo_max_bytes)
        self._memory = MemoryBudget(settings.originals_memory_mb * 1_000_000)
        self._in_memory = asyncio.Semaphore(3 * slots)  # files being downloaded, validated and stored
        proxy = brand_settings.proxy_url
        any_host = settings.photo_allow_private_hosts
        self._downloader = Downloader(
            DownloadPolicy(
                slots=slots,
                delay_min=brand_settings.download_delay_min,
                delay_max=brand_settings.download_delay_max,
                timeout=brand_settings.download_timeout,
                max_retries=brand_settings.max_retries,
                max_bytes=settings.photo_max_bytes,
            ),
            UrlPolicy(hosts=brand_settings.photo_hosts if proxy else None, any_host=any_host),
            proxy_url=proxy.get_secret_value() if proxy else None,
            proxy_ca_bundle=settings.proxy_ca_bundle,
            on_pause=self._remember_pause,
            clock=clock,
        )

    async def __aenter__(self) -> "OriginalsStage":
        await self._downloader.__aenter__()
        for host, seconds in (await asyncio.to_thread(self._db.run, host_holds.held)).items():
            self._downloader.pause(host, seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._downloader.__aexit__()

    def load(self, cursor: Cursor, leases: Sequence[Lease]) -> list[PhotoWork]:
        """Load the products' photo URLs and photo rows."""
        products = originals.load(cursor, [lease.product_id for lease in leases])
        return [PhotoWork(lease, products[lease.product_id]) for lease in leases]

    async def handle(self, work: Sequence[PhotoWork]) -> AsyncIterator[Outcome]:
        """Download missing photos, delete photos that are no longer listed, and yield each product's outcome."""
        for one in work:
            async for outcome in self._product(one):
                yield outcome

    def record(self, cursor: Cursor, outcomes: Sequence[tuple[Outcome, bool]]) -> None:
        """Write the photo rows and the image columns."""
        originals.record(cursor, [_row(outcome, current) for outcome, current in outcomes])

    async def _product(self, work: PhotoWork) -> AsyncIterator[Outcome]:
        """Yield the product's outcome with what was stored; then raise the exception that stops the stage, if any."""
        lease, product = work.lease, work.product
        try:
            known = await self._store.known(work)
            current = [photo for photo in known if is_current(photo, work)]
            current += await self._store.move(work, moved(work, known, {photo.n for photo in current}))
        except (StorageUnavailable, DatabaseUnavailable):
            yield released(lease)
            raise
        except LeaseTooShort:
            yield released(lease)
            return
        stored = {photo.n for photo in current}
        deadline = self._downloader.now() + self._seconds
        missing = [(n, url) for n, url in enumerate(product.urls, start=1) if n not in stored]
        results = await asyncio.gather(
            *(self._photo(work, n, url, deadline) for n, url in missing), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, (*_STOPS, LeaseTooShort)):
                raise result
        finished = [await self._judged(work, one) for one in results if isinstance(one, _PhotoResult)]
        kept = [or_stored(one.photo, work, known) for one in finished]
        photos = sorted([*current, *kept], key=lambda photo: photo.n)
        stopped = next((result for result in results if isinstance(result, _STOPS)), None)
        if len(finished) == len(results):
            try:
                await self._store.delete_unused(work, known, {photo.key for photo in photos})
            except (StorageUnavailable, DatabaseUnavailable) as error:
                stopped = error
            except LeaseTooShort:
                pass
            else:
                yield self._outcome(work, photos, finished, kept)
                return
        rows = tuple(photo for photo in photos if photo.state == "stored" and photo not in product.known)
        yield replace(released(lease), payload=_Payload(rows, originals.PHOTOS_A_PRODUCT, None))
        if stopped is not None:
            raise stopped

    def _outcome(self, work: PhotoWork, photos: list[Photo], results: list[_PhotoResult], kept: list[Photo]) -> Outcome:
        """The outcome for a product with these photos after these downloads, of which `kept` became of them."""
        lease, product = work.lease, work.product
        stored = [photo for photo in photos if photo.key]
        failed = [one for one in results if one.photo.state == "failed"]
        refused = [one for one in results if one.photo.state in ("refused", "gone")]
        downloaded = [one.photo for one in results if one.photo.state == "stored"]
        counts = {
            "photos_stored": len(downloaded),
            "photos_kept": len(stored) - len(downloaded),
            "photos_failed": len(failed) + len(refused),
            "bytes": sum(photo.bytes or 0 for photo in downloaded),
        }
        rows = tuple(photo for photo in photos if photo not in product.known)
        urls = tuple(self._public_url(photo.key) for photo in stored if photo.key)
        stored_before = {(photo.key, photo.sha256) for photo in product.known}
        new = [_stored_object(work, photo) for photo in stored if (photo.key, photo.sha256) not in stored_before]
        payload = _Payload(rows, len(product.urls), urls)
        if not product.urls:
            return given_up(lease, "no_photos", "the source lists no photo", payload=payload)
        if failed:
            payload = replace(payload, goes_on=bool(stored) and lease.attempts >= _LASTING)
            asked = max((one.retry_after for one in failed if one.retry_after is not None), default=0.0)
            wait = timedelta(seconds=min(asked, LONGEST_WAIT.total_seconds()))
            return retry_later(
                lease, *_explain(failed), item_fault=False, wait=wait, payload=payload, stored=new, **counts
            )
        lost = [one for one, photo in zip(results, kept, strict=True) if photo.state in ("refused", "gone")]
        retryable = [
            one for one in lost if one.photo.reason in _RETRYABLE or _is_next_day(one)
        ] and lease.item_faults + 1 < self.tries
        if stored and not retryable:
            return done(lease, payload, stored=new, **counts)
        next_day = any(map(_is_next_day, lost))
        payload = replace(payload, goes_on=bool(stored) and next_day)
        wait = _DAY if next_day else None
        return retry_later(lease, *_explain(refused), item_fault=True, wait=wait, payload=payload, stored=new, **counts)

    async def _photo(self, work: PhotoWork, n: int, url: str, deadline: float) -> _PhotoResult:
        """Download, validate and store one photo.

        Raises `AbortStage`, `StorageUnavailable`, `DatabaseUnavailable` and `LeaseTooShort`.
        """
        async with self._in_memory:
            try:
                response = await self._downloader.download(url, deadline, owner=work.product.product_id)
            except UpstreamUnavailable as error:
                raise AbortStage(str(error)) from None
            if isinstance(response, DownloadFailed):
                state = "gone" if response.fault == "gone" else "refused" if response.fault == "item" else "failed"
                return _PhotoResult(Photo(n, url, state, response.reason), response.detail, response.retry_after)
            async with self._memory.reserve(await asyncio.to_thread(working_bytes, response.body, self._limits)):
                image = await asyncio.to_thread(normalise, response.body, self._limits)
            if isinstance(image, Refused):
                return _PhotoResult(Photo(n, url, "refused", image.reason), image.detail)
            photo = Photo(n, url, "stored", None, work.key(n), image.sha256, image.width, image.height, len(image.data))
            await self._store.put(work, photo, image.data)
            return _PhotoResult(photo)

    async def _remember_pause(self, host: str, seconds: float) -> None:
        await asyncio.to_thread(self._db.run, host_holds.hold, host, seconds)

    async def _judged(self, work: PhotoWork, result: _PhotoResult) -> _PhotoResult:
        """The result of a photo; a refusal is the photo's own fault if its host sends others, and so is a lasting 5xx.

        A run in which the host has sent nothing yet asks it once for photos that it sent before: if this photo was
        refused in an earlier run, too, or after a few others.
        """
        photo = result.photo
        server_error = _is_server_error(photo.reason)
        if photo.state != "failed" or not (photo.reason in REFUSALS or server_error):
            return result
        self._refused += 1
        ask = work.lease.attempts > 0 or self._refused >= _REFUSED_FIRST
        if ask and not self._downloader.has_answered(photo.source_url):
            await self._ask(photo.source_url)
        if not self._downloader.has_answered(photo.source_url):
            return result
        if server_error and work.lease.attempts < _LASTING:
            return result
        return replace(result, photo=replace(photo, state="refused"))

    async def _ask(self, url: str) -> None:
        host = url[: url.find("/", len("https://")) + 1]
        async with self._asking:
            if host in self._asked:
                return
            self._asked.add(host)
            stored = await asyncio.to_thread(self._db.run, originals.stored_urls, self._brand, host, _ASKED_FOR)
            with contextlib.suppress(UpstreamUnavailable):  # the next photo says so
                for one in stored:
                    deadline = self._downloader.now() + self._seconds
                    if isinstance(await self._downloader.download(one, deadline), Downloaded):
                        return


def _stored_object(work: PhotoWork, photo: Photo) -> StoredObject:
    return StoredObject(
        work.product.external_id, photo.n, photo.key or "", photo.sha256 or "", photo.width or 0, photo.height or 0,
        photo.bytes or 0, photo.source_url,
    )  # fmt: skip


def _is_next_day(result: _PhotoResult) -> bool:
    """Whether a lost photo is tried again on another day."""
    return result.photo.reason in _NEXT_DAY or _is_server_error(result.photo.reason)


def _is_server_error(reason: str | None) -> bool:
    """Whether a host failed for this file. A 503 says itself that it passes."""
    return reason is not None and reason.startswith("http_5") and reason != "http_503"


def _explain(results: Sequence[_PhotoResult]) -> tuple[str, str]:
    """Reason code and detail of a product with these failed photos."""
    listed = [f"photo {one.photo.n} {one.photo.reason}" + (f" ({one.detail})" if one.detail else "") for one in results]
    return results[0].photo.reason or "unknown", ", ".join(listed)


def _row(outcome: Outcome, current: bool) -> PhotosOutcome:
    result, payload = outcome.lease_outcome, outcome.payload or _Payload((), originals.PHOTOS_A_PRODUCT, None)
    return PhotosOutcome(
        result.lease.product_id,
        "done" if payload.goes_on and result.kind == "later" else result.kind,
        payload.rows,
        payload.count,
        payload.image_urls,
        f"{result.reason}: {result.detail}" if result.reason else None,
        current,
    )
