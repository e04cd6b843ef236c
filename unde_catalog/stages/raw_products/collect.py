"""The raw_products stage: a brand's catalogue from its source into raw_products (specs 1 and 2).

What a source is is in `source.py`, which one a brand has in `open.py`; photos are not fetched here, only their URLs.
"""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unde_catalog.settings.environment import Settings
from unde_catalog.stages.raw_products import retry_rejected
from unde_catalog.stages.raw_products.collect_run import LEASE, CollectRun, Progress, merged_counts
from unde_catalog.stages.raw_products.errors import CursorLost, SourceUnusable
from unde_catalog.stages.raw_products.open import NotConfigured, source_of
from unde_catalog.stages.raw_products.source import SourceListing
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.staging.products import ingest, rejected_items, scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape, ScrapeTakenOver
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport

STAGE = "raw_products"


@dataclass(frozen=True, slots=True)
class ProductStream:
    """A brand's products as its source lists them, read page by page while they are merged.

    Before `merge` nothing is asked of the source, paid for or written.
    """

    brand: str
    settings: Settings
    options: RunOptions
    log: logging.Logger

    def merge(self, db: Database) -> StageReport:
        """Bring the brand's products up to date; `StageStopped` when the source or the database can't be used.

        `limit`, `product_ids` and `max_minutes` read only a part: nothing is marked inactive then, and the next run
        goes on with the same list. `retry_failed` first reads again what the last scrape could not read.
        """
        report = StageReport(STAGE, self.brand)
        started = time.monotonic()
        try:
            source = source_of(self.brand, self.settings)
            _collect(CollectRun(self.brand, db, self.settings, self.options, self.log, source, report))
        except NotConfigured as why:
            report.note = str(why)
        except (SourceUnusable, DatabaseUnavailable, ScrapeTakenOver) as cause:
            raise StageStopped(report, cause) from cause
        finally:
            report.seconds = time.monotonic() - started
        return report


def run(stage_run: StageRun) -> StageReport:
    """Collect the brand's products; as `ProductStream.merge`."""
    stream = ProductStream(stage_run.brand, stage_run.backends.settings, stage_run.options, stage_run.log)
    return stream.merge(stage_run.backends.db)


class _Emptied(Exception):
    """The server crashed since, and emptied the unlogged table of what was staged."""


def _collect(run: CollectRun) -> None:
    if run.options.retry_failed:
        retry_rejected.rejected(run)
    forced_by = run.options.root_run if run.options.force else None
    fresh = run.db.run(scrapes.fresh_scrape, run.brand, run.interval, forced_by)
    if fresh is not None:
        run.note(f"the complete scrape of {fresh:%Y-%m-%d %H:%M} is young enough; force repeats it")
        return
    scrape = run.db.run(scrapes.claim, run.brand, run.options.root_run, LEASE, run.source.abandon_after)
    if scrape is None:
        run.report.leased_elsewhere = 1
        run.note("another run is collecting this brand")
        return
    try:
        _work_on(run, scrape)
    except _Emptied:
        run.note("the database crashed and lost what was staged: it was read again")
        _collect(run)


def _work_on(run: CollectRun, scrape: Scrape) -> None:
    with _let_go(run, scrape):
        listing = run.source.listing(run, scrape)
        if listing is None:
            return
        progress = Progress(scrape)
        try:
            _check_staged(run, scrape, progress)
            try:
                whole = _read(run, scrape, progress, listing)
            except CursorLost as lost:
                run.note(f"{lost}: the {listing.called} was read again from its beginning")
                _start_over(run, scrape, progress)
                whole = _read(run, scrape, progress, listing)
            _merge(run, scrape, progress)
            if whole:
                _close(run, scrape, progress, listing)
        finally:
            run.note(_summary(run.report.counts))
            if scrape.resumed and scrape.counts:
                run.note(f"with what earlier runs read of this scrape: {_summary(progress.counts)}")


@contextlib.contextmanager
def _let_go(run: CollectRun, scrape: Scrape) -> Iterator[None]:
    """However it ends, the next one need not wait for our lease to run out."""
    try:
        yield
    finally:
        try:
            run.db.run(scrapes.release, scrape)
        except DatabaseUnavailable as error:
            run.log.warning("the scrape of %s stays leased for %s: %s", run.brand, LEASE, error)


def _check_staged(run: CollectRun, scrape: Scrape, progress: Progress) -> None:
    """What an earlier run staged waits for the rest, so that the outcome is that of one run; if it is still there."""
    if not scrape.resumed:
        run.db.run(ingest.unstage, scrape.id)  # what scrapes that were given up have left
    elif run.db.run(ingest.staged, scrape.id) != progress.staged:
        _start_over(run, scrape, progress)  # the server crashed and emptied the unlogged table


def _start_over(run: CollectRun, scrape: Scrape, progress: Progress) -> None:
    """All is read again, what was merged stays merged."""
    run.db.run(ingest.unstage, scrape.id)
    run.db.run(rejected_items.forget, scrape.id)
    progress.read_to, progress.place, progress.staged = 0, None, 0
    for name in ("items", "rejected", "prices_not_understood"):
        progress.counts[name] = 0


def _read(run: CollectRun, scrape: Scrape, progress: Progress, listing: SourceListing) -> bool:
    """Stage the list page by page; whether it was read to its end."""
    options = run.options
    wanted = None if options.product_ids is None else set(options.product_ids)
    missing = set(wanted or ())
    position, place = (progress.read_to, progress.place) if wanted is None else (0, None)
    handled = 0
    for items in listing.pages(position, place):
        read = [(position + n, run.source.read_item(raw)) for n, raw in enumerate(items)]
        position += len(items)
        if wanted is not None:
            read = [(n, one) for n, one in read if one.external_id in wanted]
            missing.difference_update(one.external_id for _, one in read)
        if options.limit is not None and handled + len(read) >= options.limit:
            read = read[: options.limit - handled]
            position = read[-1][0] + 1 if read else position
        handled += len(read)
        if wanted is None:
            progress.read_to, progress.place = position, listing.place
        _stage(run, scrape, progress, read)
        run.log.info("%s: %d items read", run.brand, position)
        if options.limit is not None and handled >= options.limit:
            return False
        if run.time_is_over:
            run.note(f"max_minutes were over; the next run goes on with the same {listing.called}")
            return False
    if missing:
        run.note(f"not in this scrape: {', '.join(sorted(missing)[:20])}")
    return wanted is None


def _stage(
    run: CollectRun, scrape: Scrape, progress: Progress, read: Sequence[tuple[int, CollectedProduct | RejectedItem]]
) -> None:
    good = [(n, one) for n, one in read if isinstance(one, CollectedProduct)]
    bad = [(n, one) for n, one in read if isinstance(one, RejectedItem)]
    staged = progress.staged + len(good)
    prices = sum(run.source.price_not_understood(product) for _, product in good)

    def write(cursor: Cursor) -> Counter[str]:
        ingest.stage(cursor, scrape.id, good)
        rejected = rejected_items.keep(cursor, scrape.id, run.brand, bad)
        counts = Counter(items=len(read), rejected=rejected, prices_not_understood=prices)
        _write(cursor, scrape, progress, staged, progress.counts + counts)
        return counts

    counts = run.db.run(write)
    progress.staged, progress.counts = staged, progress.counts + counts
    run.report.counts.update(counts)
    for n, one in bad:
        run.report.given_up[one.reason] += 1
        run.report.name_example(one.reason, one.external_id or f"item {n}", one.detail)


def _write(cursor: Cursor, scrape: Scrape, progress: Progress, staged: int, counts: Mapping[str, int]) -> None:
    scrapes.progress(cursor, scrape, LEASE, progress.read_to, staged, counts, progress.place)


def _merge(run: CollectRun, scrape: Scrape, progress: Progress) -> None:
    """Merge what is staged, a short transaction for each chunk; raises `_Emptied`."""

    def write(cursor: Cursor, ids: list[str]) -> tuple[ingest.Merged, Counter[str]]:
        merged = ingest.merge(cursor, scrape.id, run.brand, run.source_name, run.index_scope, ids)
        totals = progress.counts + merged_counts(merged)
        left = progress.staged - merged.products - merged.repeated
        _write(cursor, scrape, progress, left, totals)
        return merged, totals

    last = ""
    while ids := run.db.run(ingest.next_staged, scrape.id, last):
        last = ids[-1]
        merged, progress.counts = run.db.run(write, ids)
        progress.staged -= merged.products + merged.repeated
        run.report.done += merged.products
        run.report.counts.update(merged_counts(merged))
        run.log.info("%s: %d products merged, %d to go", run.brand, run.report.done, progress.staged)
    if progress.staged:  # else what is missing would pass for what the shop no longer has
        raise _Emptied


def _close(run: CollectRun, scrape: Scrape, progress: Progress, listing: SourceListing) -> None:
    """Mark inactive what was not seen, unless too little was seen to believe it (spec 1)."""
    rejected = progress.counts["rejected"]
    if not progress.counts["items"]:
        run.db.run(scrapes.end, scrape, "failed", 0, 0, f"empty {listing.called}")
        raise SourceUnusable(listing.when_empty)
    active, seen = run.db.run(ingest.count_seen, run.source_name, scrape.id)
    if (doubt := listing.doubt) is not None:
        run.note(f"{doubt.sentence}: nothing was marked inactive")
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, doubt.reason)
        return
    if not seen or seen < run.settings.scrape_min_share * active:
        run.note(f"only {seen} of {active} active products were seen: nothing was marked inactive")
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, "too_few_products")
        return

    def write(cursor: Cursor) -> int:
        vanished = ingest.deactivate_unseen(cursor, run.source_name, scrape.id)
        totals = progress.counts + Counter(vanished=vanished)
        _write(cursor, scrape, progress, progress.staged, totals)
        scrapes.end(cursor, scrape, "complete", seen, rejected)
        return vanished

    vanished = run.db.run(write)
    progress.counts["vanished"] = run.report.counts["vanished"] = vanished


def _summary(counts: Mapping[str, Any]) -> str:
    named = ("new", "changed", "unchanged", "returned", "vanished", "repeated", "rejected", "prices_not_understood")
    always = ("new", "changed", "unchanged")
    parts = [f"{counts[n]} {n.replace('_', ' ')}" for n in named if n in always or counts.get(n)]
    return f"{counts['items']} items: {', '.join(parts)}"
