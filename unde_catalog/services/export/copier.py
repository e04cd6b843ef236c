"""Downloads the missing images of a list, converts them to JPEG and writes them into a folder.

`batches.py` finds the missing images, `net/` downloads, `encode.py` converts. Memory use does not grow with the list:
pages are read one after the other, and the number of images in progress is bounded.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.services.export import checkpoint
from unde_catalog.services.export.batches import BatchReader, CopyBatch, CopyJob
from unde_catalog.services.export.encode import Encoder, ImageFailure, NeedsMemory
from unde_catalog.services.export.folder import CopyFolder, CopyStopped, DiskFull
from unde_catalog.services.export.journal import RunJournal, RunStart, journal_line
from unde_catalog.services.export.prefetch import Prefetcher
from unde_catalog.services.export.totals import ExportTotals
from unde_catalog.stages.photos.memory import MemoryBudget

Fetch = Callable[[str, float, str], Awaitable[Downloaded | DownloadFailed]]  # location, deadline, external id
OnFailure = Callable[[CopyJob, ImageFailure], None]
OnProgress = Callable[[ExportTotals], None]

RETRY_DELAYS = (0.5, 2.0)  # seconds before an image with a temporary failure is tried again
_ATTEMPT_TIMEOUT = 600.0  # seconds, including the delays that the host demands
_WORKERS_PER_DOWNLOAD = 4  # so that workers that wait for a retry do not leave a download slot empty
_MAX_BODIES = 200_000_000  # bytes of images that wait for a thread; beyond this no new download starts
_INVALID_ON_DOWNLOAD = ("empty", "not_an_image", "too_large")  # the downloader detects these before the decoder does
_PREFETCHED_PAGES = 2
_POLL_SECONDS = 0.25  # between two checks of the disk and updates of the display
_SAVE_SECONDS, _SAVE_SHARE = 10.0, 0.05  # the interval of checkpoints, and their maximum share of the time


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """`parallel`: concurrent downloads. `keep_free`: disk bytes to leave free. `memory`: bytes for decoded images."""

    parallel: int = 10
    keep_free: int = 100_000_000
    memory: int = 1_000_000_000
    threads: int = 2


class Copier:
    """One run that fills a folder. It counts its progress in `totals`."""

    def __init__(
        self, folder: CopyFolder, journal: RunJournal, fetch: Fetch, encoder: Encoder, options: CopyOptions,
        totals: ExportTotals, on_failure: OnFailure,
    ) -> None:  # fmt: skip
        self.totals = totals
        self._folder, self._journal, self._fetch, self._encoder, self._options = (
            folder, journal, fetch, encoder, options,
        )  # fmt: skip
        self._on_failure = on_failure
        self._jobs: deque[CopyJob] = deque()
        self._refill = asyncio.Lock()
        self._list_ended, self._list_error = False, None
        self._stop = asyncio.Event()
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="images")
        # One half of the memory is divided between the threads. Images that need more share the other half.
        self._thread_memory = options.memory // 2 // options.threads
        self._shared_memory = MemoryBudget(options.memory // 2)
        self._body_bytes = 0
        self._body_space = asyncio.Event()
        self._body_space.set()
        self._saving: asyncio.Task[None] | None = None
        self._unchecked_bytes = 0  # written since the last check of the disk

    def stop(self) -> None:
        """Stop soon: start nothing new, and finish the files that are being written."""
        self._stop.set()

    async def run(self, batches: BatchReader, start: RunStart, on_progress: OnProgress) -> bool:
        """Copy the missing images. False if stopped. Calls `on_progress` regularly.

        Raises `CopyStopped` and what the list or `fetch` raises, after saving the checkpoint.
        """
        started = time.monotonic()
        self._check_disk()
        self._pages: Prefetcher[CopyBatch] = Prefetcher(batches.read, _PREFETCHED_PAGES)
        workers = [asyncio.create_task(self._work()) for _ in range(_WORKERS_PER_DOWNLOAD * self._options.parallel)]
        working = asyncio.gather(*workers)
        stopping = asyncio.create_task(self._stop.wait())
        monitoring = asyncio.create_task(self._monitor(started, on_progress))
        completed = False
        try:
            await asyncio.wait({working, stopping, monitoring}, return_when=asyncio.FIRST_COMPLETED)
            if monitoring.done():
                monitoring.result()
            if working.done():
                working.result()
                if self._list_error is not None:
                    raise self._list_error
                completed = True
        finally:
            self._pages.close()
            tasks = [*workers, stopping, monitoring]
            for task in tasks:
                task.cancel()
            await asyncio.gather(working, *tasks, return_exceptions=True)
            if self._saving is not None:
                await asyncio.wait([self._saving])
            self._pool.shutdown()
            self.totals.seconds = time.monotonic() - started
            on_progress(self.totals)
            self._finish(start, completed)
        return completed

    def _finish(self, start: RunStart, completed: bool) -> None:
        """Save the checkpoint. The journal of an unfinished run keeps how the run started."""
        try:
            self._journal.flush()
            checkpoint.save(self._folder, self._journal.lines(*self._journal.unsaved()), time.time())
            self._journal.clear() if completed else self._journal.start(start)
        except CopyStopped:
            if completed:  # otherwise the run already ends with another error
                raise

    async def _work(self) -> None:
        while (job := await self._next_job()) is not None:
            if not self._body_space.is_set():
                await self._body_space.wait()
            result = await self._attempt(job)
            for delay in RETRY_DELAYS:
                if not (isinstance(result, ImageFailure) and result.retryable):
                    break
                await asyncio.sleep(delay)
                result = await self._attempt(job)
            self._record(job, result)
            if self._unchecked_bytes > self._options.keep_free // 16:
                self._check_disk()

    async def _next_job(self) -> CopyJob | None:
        while not self._jobs:
            async with self._refill:
                if self._jobs:
                    break
                if self._list_ended:
                    return None
                try:
                    batch = await self._pages.next()
                except Exception as error:  # raised by `run` when the jobs listed so far are done
                    self._list_error, batch = error, None
                if batch is None:
                    self._list_ended = True
                    return None
                self._add_batch(batch)
        return self._jobs.popleft()

    def _add_batch(self, batch: CopyBatch) -> None:
        totals = self.totals
        totals.total = batch.total
        totals.products += batch.products
        totals.without_photo += batch.without_photo
        totals.unreadable += batch.unreadable
        totals.missed += batch.missed
        for category, count in batch.already_there.items():
            totals.already_there += count
            totals.category(category).already_there += count
        self._journal.add(batch.lines)
        self._jobs.extend(batch.jobs)

    async def _attempt(self, job: CopyJob) -> int | ImageFailure:
        """Fetch an image and store it: the size of its file in bytes, or the failure."""
        deadline = time.monotonic() + _ATTEMPT_TIMEOUT
        response = await self._fetch(job.location, deadline, job.product.external_id)
        if isinstance(response, DownloadFailed):
            retryable = response.counts_against_host and not response.retryable
            kind = "invalid" if response.reason in _INVALID_ON_DOWNLOAD else "download"
            return ImageFailure(kind, response.reason, response.detail, retryable)
        self._count_body(len(response.body))
        try:
            return await self._store(job, response.body)
        finally:
            self._count_body(-len(response.body))

    async def _store(self, job: CopyJob, body: bytes) -> int | ImageFailure:
        result = await self._store_in_thread(job, body, self._thread_memory)
        if isinstance(result, NeedsMemory):
            async with self._shared_memory.reserve(result.bytes):
                result = await self._store_in_thread(job, body, result.bytes)
            assert not isinstance(result, NeedsMemory)  # it had the memory that it asked for
        return result

    async def _store_in_thread(self, job: CopyJob, body: bytes, memory: int) -> int | ImageFailure | NeedsMemory:
        """Call `Encoder.store`. If cancelled, wait for it and record a file that was written."""
        storing = asyncio.get_running_loop().run_in_executor(
            self._pool, self._encoder.store, job.category, job.file, body, memory
        )
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait([storing])
            if storing.exception() is None and isinstance(result := storing.result(), int):
                self._record(job, result)
            raise

    def _count_body(self, change: int) -> None:
        self._body_bytes += change
        if self._body_bytes > _MAX_BODIES:
            self._body_space.clear()
        else:
            self._body_space.set()

    def _record(self, job: CopyJob, result: int | ImageFailure) -> None:
        totals, product = self.totals, job.product
        if isinstance(result, ImageFailure):
            product.failed = True
            totals.add_failure(result.kind, result.reason, job.category, job.file)
            self._on_failure(job, result)
        else:
            totals.downloaded += 1
            totals.bytes += result
            totals.category(job.category).downloaded += 1
            self._unchecked_bytes += result
        product.remaining -= 1
        if not product.remaining:
            self._journal.add(journal_line(not product.failed, product.external_id))

    async def _monitor(self, started: float, on_progress: OnProgress) -> None:
        """Check the disk, report progress, and save the checkpoint at intervals."""
        saved, interval = started, _SAVE_SECONDS
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            now = time.monotonic()
            self.totals.seconds = now - started
            on_progress(self.totals)
            self._check_disk()
            if now - saved >= interval:
                self._saving = asyncio.create_task(self._save())
                await asyncio.shield(self._saving)
                saved = time.monotonic()
                interval = max(_SAVE_SECONDS, (saved - now) / _SAVE_SHARE)

    async def _save(self) -> None:
        self._journal.flush()
        begin, end = self._journal.unsaved()
        if end > begin:
            await asyncio.to_thread(checkpoint.save, self._folder, self._journal.lines(begin, end), time.time())
            self._journal.mark_saved(end)

    def _check_disk(self) -> None:
        self._unchecked_bytes = 0
        free, keep_free = self._folder.free_bytes, self._options.keep_free
        if free < keep_free:
            raise DiskFull(
                f"the disk of {self._folder.path} is full: {free // 1_000_000} MB are free, and "
                f"{keep_free // 1_000_000} MB must stay free (--keep-free): free some space or use a larger disk"
            )
