"""Copies a list of images into a folder: what is missing is fetched, looked at, made a JPEG and written.

What is missing is `listing.py`'s, how a download behaves `net/`'s, what becomes of a body `encode.py`'s. Nothing here
grows with the list: pages come one after the other, and a bounded number of images is in hand.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from unde_catalog.net.responses import Downloaded, DownloadFailed
from unde_catalog.services.export import checkpoint
from unde_catalog.services.export.encode import EncodeProblem, Encoder, NeedsMemory
from unde_catalog.services.export.figures import ExportTotals
from unde_catalog.services.export.folder import CopyFolder, CopyStopped, DiskFull
from unde_catalog.services.export.journal import RunJournal, RunStart, line
from unde_catalog.services.export.listing import CopyBatch, CopyJob, ImageListing
from unde_catalog.services.export.prefetch import Prefetcher
from unde_catalog.stages.photos.memory import MemoryBudget

Fetch = Callable[[str, float, str], Awaitable[Downloaded | DownloadFailed]]  # place, deadline, whose image it is
TellFailed = Callable[[CopyJob, EncodeProblem], None]

PAUSES = (0.5, 2.0)  # seconds before an image is asked for again whose fault may pass
_SECONDS = 600.0  # for one try of an image, with all the waiting that its host asks for
_HANDS = 4  # for each download at once: those that wait before another try hold up nobody
_BODIES = 200_000_000  # bytes that wait for a processor; above it no download begins
_SEEN_EARLY = ("empty", "not_an_image", "too_large")  # a download notices these before they are looked at as images
_PAGES_AHEAD = 2
_LOOK_SECONDS = 0.25  # between two looks at the disk, and at what is to be shown
_SAVE_SECONDS, _SAVE_SHARE = 10.0, 0.05  # between two checkpoints, and the share of the time that they may take


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """`parallel` downloads at once; `keep_free` bytes of the disk are left alone; `memory` for decoded images."""

    parallel: int = 10
    keep_free: int = 100_000_000
    memory: int = 1_000_000_000
    threads: int = 2


class Copying:
    """A run that fills a folder. `figures` and the files in the folder tell how far it is."""

    def __init__(
        self, folder: CopyFolder, journal: RunJournal, fetch: Fetch, maker: Encoder, options: CopyOptions,
        figures: ExportTotals, tell_failed: TellFailed,
    ) -> None:  # fmt: skip
        self.figures = figures
        self._folder, self._journal, self._fetch, self._maker, self._options = folder, journal, fetch, maker, options
        self._tell_failed = tell_failed
        self._jobs: deque[CopyJob] = deque()
        self._reading = asyncio.Lock()
        self._listed, self._broken_list = False, None
        self._stop = asyncio.Event()
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="images")
        # Each thread may take its part of one half without asking, what wants more asks for the other.
        self._unasked = options.memory // 2 // options.threads
        self._memory = MemoryBudget(options.memory // 2)
        self._bodies = 0
        self._room = asyncio.Event()
        self._room.set()
        self._saving: asyncio.Task[None] | None = None
        self._unlooked = 0  # bytes written since the last look at the disk

    def stop(self) -> None:
        """Come to an end soon: nothing new begins, what is being written is written."""
        self._stop.set()

    async def run(self, listing: ImageListing, begun: RunStart, look: Callable[[ExportTotals], None]) -> bool:
        """Copy what is missing; False where it was stopped. `look` is called again and again.

        Whatever is raised, the checkpoint is saved before: `CopyStopped`, or what the list or the fetcher raises.
        """
        started = time.monotonic()
        self._must_have_room()
        self._pages: Prefetcher[CopyBatch] = Prefetcher(listing.batches, _PAGES_AHEAD)
        workers = [asyncio.create_task(self._work()) for _ in range(_HANDS * self._options.parallel)]
        working = asyncio.gather(*workers)
        stopping = asyncio.create_task(self._stop.wait())
        watching = asyncio.create_task(self._watch(started, look))
        ended = False
        try:
            await asyncio.wait({working, stopping, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            if working.done():
                working.result()
                if self._broken_list is not None:
                    raise self._broken_list
                ended = True
        finally:
            self._pages.close()
            tasks = [*workers, stopping, watching]
            for task in tasks:
                task.cancel()
            await asyncio.gather(working, *tasks, return_exceptions=True)
            if self._saving is not None:
                await asyncio.wait([self._saving])
            self._pool.shutdown()
            self.figures.seconds = time.monotonic() - started
            look(self.figures)
            self._end(begun, ended)
        return ended

    def _end(self, begun: RunStart, ended: bool) -> None:
        """Save the checkpoint; of an unfinished run the journal keeps how it began."""
        try:
            self._journal.flush()
            checkpoint.save(self._folder, self._journal.lines(*self._journal.since_checkpoint()), time.time())
            self._journal.end() if ended else self._journal.begin(begun)
        except CopyStopped:
            if ended:  # else it ends for another reason, and the files tell what is there
                raise

    async def _work(self) -> None:
        while (job := await self._next()) is not None:
            if not self._room.is_set():
                await self._room.wait()
            result = await self._try(job)
            for pause in PAUSES:
                if not (isinstance(result, EncodeProblem) and result.may_heal):
                    break
                await asyncio.sleep(pause)
                result = await self._try(job)
            self._settle(job, result)
            if self._unlooked > self._options.keep_free // 16:
                self._must_have_room()

    async def _next(self) -> CopyJob | None:
        while not self._jobs:
            async with self._reading:
                if self._jobs:
                    break
                if self._listed:
                    return None
                try:
                    batch = await self._pages.next()
                except Exception as error:  # raised when all that was listed before is done
                    self._broken_list, batch = error, None
                if batch is None:
                    self._listed = True
                    return None
                self._take(batch)
        return self._jobs.popleft()

    def _take(self, batch: CopyBatch) -> None:
        figures = self.figures
        figures.total = batch.total
        figures.products += batch.products
        figures.without_photo += batch.without_photo
        figures.unreadable += batch.unreadable
        figures.missed += batch.missed
        for category, count in batch.there.items():
            figures.there += count
            figures.of(category).there += count
        self._journal.add(batch.lines)
        self._jobs.extend(batch.jobs)

    async def _try(self, job: CopyJob) -> int | EncodeProblem:
        """Fetch an image and put it into the folder: its bytes there, or what is wrong with it."""
        deadline = time.monotonic() + _SECONDS
        answer = await self._fetch(job.place, deadline, job.product.external_id)
        if isinstance(answer, DownloadFailed):
            may_heal = answer.counts_against_host and not answer.retryable
            kind = "invalid" if answer.reason in _SEEN_EARLY else "download"
            return EncodeProblem(kind, answer.reason, answer.detail, may_heal)
        self._hold(len(answer.body))
        try:
            return await self._make(job, answer.body)
        finally:
            self._hold(-len(answer.body))

    async def _make(self, job: CopyJob, body: bytes) -> int | EncodeProblem:
        result = await self._in_thread(job, body, self._unasked)
        if isinstance(result, NeedsMemory):
            async with self._memory.reserve(result.bytes):
                result = await self._in_thread(job, body, result.bytes)
            assert not isinstance(result, NeedsMemory)  # it wanted no more than it got
        return result

    async def _in_thread(self, job: CopyJob, body: bytes, memory: int) -> int | EncodeProblem | NeedsMemory:
        """What `Encoder.make` says; also when stopped meanwhile, as the file is written then all the same."""
        making = asyncio.get_running_loop().run_in_executor(
            self._pool, self._maker.make, job.category, job.file, body, memory
        )
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.wait([making])
            if making.exception() is None and isinstance(result := making.result(), int):
                self._settle(job, result)
            raise

    def _hold(self, count: int) -> None:
        self._bodies += count
        if self._bodies > _BODIES:
            self._room.clear()
        else:
            self._room.set()

    def _settle(self, job: CopyJob, result: int | EncodeProblem) -> None:
        figures, product = self.figures, job.product
        if isinstance(result, EncodeProblem):
            product.failed = True
            figures.fail(result.kind, result.reason, job.category, job.file)
            self._tell_failed(job, result)
        else:
            figures.downloaded += 1
            figures.bytes += result
            figures.of(job.category).downloaded += 1
            self._unlooked += result
        product.left -= 1
        if not product.left:
            self._journal.add(line(not product.failed, product.external_id))

    async def _watch(self, started: float, look: Callable[[ExportTotals], None]) -> None:
        """Look at the disk and at the time, show how far it is, save the checkpoint now and then."""
        saved, pause = started, _SAVE_SECONDS
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            self.figures.seconds = now - started
            look(self.figures)
            self._must_have_room()
            if now - saved >= pause:
                self._saving = asyncio.create_task(self._save())
                await asyncio.shield(self._saving)
                saved = time.monotonic()
                pause = max(_SAVE_SECONDS, (saved - now) / _SAVE_SHARE)

    async def _save(self) -> None:
        self._journal.flush()
        begin, end = self._journal.since_checkpoint()
        if end > begin:
            await asyncio.to_thread(checkpoint.save, self._folder, self._journal.lines(begin, end), time.time())
            self._journal.is_in_checkpoint(end)

    def _must_have_room(self) -> None:
        self._unlooked = 0
        free, kept = self._folder.free, self._options.keep_free
        if free < kept:
            raise DiskFull(
                f"the disk of {self._folder.path} is full: {free // 1_000_000} MB are free and {kept // 1_000_000} MB "
                "of it are kept free (--keep-free): free space or give it more"
            )
