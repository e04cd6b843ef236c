"""The raw_products stage: merges a brand's catalogue from its source into raw_products.

`source.py` defines what a source is, `factory.py` selects it. Photos are not downloaded here; only their URLs are
stored.
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
from unde_catalog.stages.raw_products.errors import CursorLost, NotConfigured, SourceUnusable
from unde_catalog.stages.raw_products.factory import create_source
from unde_catalog.stages.raw_products.item import FAILED_AT_SOURCE, NOT_A_TEXT, TEXTS_CUT
from unde_catalog.stages.raw_products.media import PHOTOS_CUT, TOO_LONG, UNREADABLE, VIDEOS
from unde_catalog.stages.raw_products.price_unit import JUDGED, PriceUnit, read_prices, unit_of_scrape
from unde_catalog.stages.raw_products.source import Source, SourceListing
from unde_catalog.stages.stage_run import StageRun
from unde_catalog.stores.db.database import Cursor, Database, DatabaseUnavailable
from unde_catalog.stores.staging.products import ingest, rejected_items, scrapes
from unde_catalog.stores.staging.products.product import CollectedProduct, RejectedItem
from unde_catalog.stores.staging.products.scrapes import Scrape, ScrapeTakenOver
from unde_catalog.text import quantity
from unde_catalog.worker.handler import StageStopped
from unde_catalog.worker.report import RunOptions, StageReport

STAGE = "raw_products"
MAX_FAILED_SHARE = 0.02  # of the items; above it, products that were not seen may be among those that failed
RESPELT = "ids_respelt"
NOTES = (
    TEXTS_CUT,
    NOT_A_TEXT,
    VIDEOS,
    UNREADABLE,
    TOO_LONG,
    PHOTOS_CUT,
)  # counts of what of an item is not in its product


@dataclass(frozen=True, slots=True)
class ProductStream:
    """A brand's products as its source lists them, read page by page while they are merged.

    Before `merge` nothing is requested from the source, paid for or written.
    """

    brand: str
    settings: Settings
    options: RunOptions
    log: logging.Logger

    def merge(self, db: Database) -> StageReport:
        """Bring the brand's products up to date; `StageStopped` if the source or the database cannot be used.

        With `limit`, `product_ids` or `max_minutes` only a part is read: no product becomes inactive, and the next
        run resumes the same listing. `retry_failed` first reads the items again that the last scrape rejected.
        """
        report = StageReport(STAGE, self.brand)
        started = time.monotonic()
        try:
            source = create_source(self.brand, self.settings)
            _collect(CollectRun(self.brand, db, self.settings, self.options, self.log, report), source)
        except NotConfigured as error:
            report.note = str(error)
        except (SourceUnusable, DatabaseUnavailable, ScrapeTakenOver) as cause:
            raise StageStopped(report, cause) from cause
        finally:
            report.seconds = time.monotonic() - started
        return report


def run(stage_run: StageRun) -> StageReport:
    """Collect the brand's products; see `ProductStream.merge`."""
    stream = ProductStream(stage_run.brand, stage_run.backends.settings, stage_run.options, stage_run.log)
    return stream.merge(stage_run.backends.db)


class _StagedItemsLost(Exception):
    """The database server crashed, which truncates the unlogged table of staged items."""


def _collect(run: CollectRun, source: Source) -> None:
    if run.options.retry_failed:
        retry_rejected.retry_rejected(run, source)
    forced_by = run.options.root_run if run.options.force else None
    # Another scrape would cost as much, and the same pages would probably fail again.
    fresh = run.db.run(scrapes.fresh_scrape, run.brand, run.interval, forced_by, FAILED_AT_SOURCE)
    if fresh is not None:
        run.note(f"the scrape of {fresh:%Y-%m-%d %H:%M} is recent enough; force repeats it")
        return
    scrape = run.db.run(scrapes.claim, run.brand, run.options.root_run, LEASE, source.abandon_after)
    if scrape is None:
        run.report.leased_elsewhere = 1
        run.note("another run is collecting this brand")
        return
    try:
        _scrape(run, source, scrape)
    except _StagedItemsLost:
        run.note("the database crashed and lost the staged items: they were read again")
        _collect(run, source)


def _scrape(run: CollectRun, source: Source, scrape: Scrape) -> None:
    with _released_at_exit(run, scrape):
        listing = source.listing(run, scrape)
        if listing is None:
            return
        progress = Progress(scrape)
        try:
            _check_staged(run, progress)
            try:
                complete = _read(run, source, progress, listing)
            except CursorLost as lost:
                run.note(f"{lost}: the {listing.noun} was read again from its beginning")
                _start_over(run, progress)
                complete = _read(run, source, progress, listing)
            _merge(run, source, progress)
            if complete:
                _close(run, progress, listing)
        finally:
            run.note(_summary(run.report.counts))
            if scrape.resumed and scrape.counts:
                run.note(f"including earlier runs of this scrape: {_summary(progress.counts)}")


@contextlib.contextmanager
def _released_at_exit(run: CollectRun, scrape: Scrape) -> Iterator[None]:
    """Release the lease however the run ends, so that the next run need not wait for it to expire."""
    try:
        yield
    finally:
        try:
            run.db.run(scrapes.release, scrape)
        except DatabaseUnavailable as error:
            run.log.warning("the scrape of %s stays leased for %s: %s", run.brand, LEASE, error)


def _check_staged(run: CollectRun, progress: Progress) -> None:
    """Keep what an earlier run staged, if all of it is still there; so several runs have the outcome of one."""
    scrape = progress.scrape
    if not scrape.resumed:
        run.db.run(ingest.delete_staged, scrape.id)  # left by abandoned scrapes of the brand
    elif run.db.run(ingest.count_staged, scrape.id) != progress.staged:
        _start_over(run, progress)  # the server crashed and truncated the unlogged table


def _start_over(run: CollectRun, progress: Progress) -> None:
    """Read everything again; what is merged already stays merged."""
    run.db.run(ingest.delete_staged, progress.scrape.id)
    run.db.run(rejected_items.delete_of_scrape, progress.scrape.id)
    progress.read_to, progress.place, progress.staged = 0, None, 0
    for name in ("items", "rejected", "prices_not_understood", RESPELT, *NOTES, *JUDGED.values()):
        progress.counts[name] = 0


def _read(run: CollectRun, source: Source, progress: Progress, listing: SourceListing) -> bool:
    """Stage the listing page by page; whether it was read to its end."""
    options = run.options
    selected = None if options.product_ids is None else set(options.product_ids)
    missing = set(selected or ())
    position, place = (progress.read_to, progress.place) if selected is None else (0, None)
    handled = 0
    for items in listing.pages(position, place):
        results = [(position + n, source.read_item(raw)) for n, raw in enumerate(items)]
        position += len(items)
        if selected is not None:
            results = [(n, result) for n, result in results if result.external_id in selected]
            missing.difference_update(result.external_id for _, result in results)
        if options.limit is not None and handled + len(results) >= options.limit:
            results = results[: options.limit - handled]
            position = results[-1][0] + 1 if results else position
        handled += len(results)
        if selected is None:
            progress.read_to, progress.place = position, listing.place
        _stage(run, source, progress, results)
        run.log.info("%s: %s read", run.brand, quantity(position, "item"))
        if options.limit is not None and handled >= options.limit:
            return False
        if run.time_is_up:
            run.note(f"max_minutes passed; the next run resumes the same {listing.noun}")
            return False
    if missing:
        run.note(f"not in this scrape: {', '.join(sorted(missing)[:20])}")
    return selected is None


def _stage(
    run: CollectRun, source: Source, progress: Progress, results: Sequence[tuple[int, CollectedProduct | RejectedItem]]
) -> None:
    products = [(n, result) for n, result in results if isinstance(result, CollectedProduct)]
    rejected_here = [(n, result) for n, result in results if isinstance(result, RejectedItem)]
    scrape, staged = progress.scrape, progress.staged + len(products)
    unreadable_prices = sum(source.is_price_unreadable(product) for _, product in products)

    def write(cursor: Cursor) -> Counter[str]:
        ingest.stage(cursor, scrape.id, products)
        rejected = rejected_items.store(cursor, scrape.id, run.brand, rejected_here)
        counts = Counter(items=len(results), rejected=rejected, prices_not_understood=unreadable_prices)
        for _, product in products:
            counts.update(product.notes)
        _write_progress(cursor, progress, staged, progress.counts + counts)
        return counts

    counts = run.db.run(write)
    progress.staged, progress.counts = staged, progress.counts + counts
    run.report.counts.update(counts)
    for n, item in rejected_here:
        run.report.given_up[item.reason] += 1
        run.report.add_example(item.reason, item.external_id or f"item {n}", item.detail)


def _write_progress(cursor: Cursor, progress: Progress, staged: int, counts: Mapping[str, int]) -> None:
    scrapes.progress(cursor, progress.scrape, LEASE, progress.read_to, staged, counts, progress.place)


def _merge(run: CollectRun, source: Source, progress: Progress) -> None:
    """Merge the staged items, one short transaction per chunk; raises `_StagedItemsLost`."""
    scrape_id = progress.scrape.id

    def write(cursor: Cursor, ids: list[str]) -> tuple[ingest.MergeCounts, Counter[str]]:
        for staged in ingest.repeated(cursor, scrape_id, ids).values():
            combined = source.combine([one.raw_data for one in staged])
            if combined is not None and len(combined) == len(staged):
                ingest.replace(cursor, dict(zip((one.row for one in staged), combined, strict=True)))
        read_prices(cursor, unit, scrape_id, ids)
        merged = ingest.merge(cursor, scrape_id, run.brand, run.source_name, run.index_scope, ids)
        totals = progress.counts + merged_counts(merged)
        left = progress.staged - merged.products - merged.repeated
        _write_progress(cursor, progress, left, totals)
        return merged, totals

    last = ""
    respelt = run.db.run(ingest.respell, scrape_id, run.source_name)
    if respelt:
        progress.counts[RESPELT] += respelt
        run.report.counts[RESPELT] += respelt
        run.note(f"{quantity(respelt, 'item')} spelt the product's id in another way: taken for the same products")
    unit: PriceUnit = unit_of_scrape(run, source, progress)
    while ids := run.db.run(ingest.next_staged, scrape_id, last):
        last = ids[-1]
        merged, progress.counts = run.db.run(write, ids)
        progress.staged -= merged.products + merged.repeated
        run.report.done += merged.products
        run.report.counts.update(merged_counts(merged))
        done, left = quantity(run.report.done, "product"), quantity(progress.staged, "item")
        run.log.info("%s: %s merged, %s left", run.brand, done, left)
    if progress.staged:  # otherwise the lost items would count as no longer on sale
        raise _StagedItemsLost


def _close(run: CollectRun, progress: Progress, listing: SourceListing) -> None:
    """End the scrape: what it did not see becomes inactive, unless it saw too little (SCRAPE_MIN_SHARE)."""
    scrape, rejected = progress.scrape, progress.counts["rejected"]
    if not progress.counts["items"]:
        run.db.run(scrapes.end, scrape, "failed", 0, 0, f"empty {listing.noun}")
        raise SourceUnusable(listing.empty_message)
    active, seen = run.db.run(ingest.count_seen, run.source_name, scrape.id)
    if (incomplete := listing.incomplete) is not None:
        run.note(f"{incomplete.message}: no product was marked inactive")
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, incomplete.reason)
        return
    failed = run.db.run(rejected_items.count_unknown, scrape.id, FAILED_AT_SOURCE)
    if failed > MAX_FAILED_SHARE * progress.counts["items"]:
        share = f"{failed} of {progress.counts['items']} items failed at the source or have no id"
        run.note(f"{share}: no product was marked inactive")
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, FAILED_AT_SOURCE)
        return
    if not seen or seen < run.settings.scrape_min_share * active:
        run.note(f"only {seen} of {active} active products were seen: no product was marked inactive")
        run.db.run(scrapes.end, scrape, "partial", seen, rejected, scrapes.TOO_FEW_PRODUCTS)
        return

    def write(cursor: Cursor) -> int:
        vanished = ingest.deactivate_unseen(cursor, run.source_name, scrape.id)
        totals = progress.counts + Counter(vanished=vanished)
        _write_progress(cursor, progress, progress.staged, totals)
        scrapes.end(cursor, scrape, "complete", seen, rejected)
        return vanished

    vanished = run.db.run(write)
    progress.counts["vanished"] = run.report.counts["vanished"] = vanished


def _summary(counts: Mapping[str, Any]) -> str:
    names = ("new", "changed", "unchanged", "returned", "vanished", "repeated", "rejected", "prices_not_understood")
    names += (RESPELT, *NOTES, *JUDGED.values())
    always = ("new", "changed", "unchanged")
    parts = [f"{counts[n]} {n.replace('_', ' ')}" for n in names if n in always or counts.get(n)]
    return f"{counts['items']} items: {', '.join(parts)}"
