"""`retry_failed` for collecting: reads the last scrape's rejected items again, for example after an upgrade.

Nothing is requested from the source. Items that are rejected again stay in `rejected_items`.
"""

from collections import Counter

from unde_catalog.stages.raw_products.collect_run import CollectRun, merged_counts
from unde_catalog.stages.raw_products.price_unit import judged_unit, read_prices
from unde_catalog.stages.raw_products.source import Source
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import ingest, rejected_items, scrapes
from unde_catalog.stores.staging.products.product import RejectedItem

_CHUNK_SIZE = 500


def retry_rejected(run: CollectRun, source: Source) -> None:
    """Merge those of the last finished scrape's rejected items that can be read now."""
    after, total = 0, 0
    while (chunk := run.db.run(_retry_chunk, run, source, after)) is not None:
        after, size, counts, rejected_again = chunk
        total += size
        run.report.done += sum(counts.values()) - counts["repeated"]
        run.report.counts.update(counts)
        run.report.given_up.update(rejected_again)
    accepted = total - run.report.given_up.total()
    run.note(f"{accepted} of {total} rejected items of the last scrape could be read now")


def _retry_chunk(
    cursor: Cursor, run: CollectRun, source: Source, after: int
) -> tuple[int, int, Counter[str], Counter[str]] | None:
    """The chunk's last id, its size, the counts of its merge and of what is rejected again; None after the end."""
    kept = rejected_items.of_last_scrape(cursor, run.brand, after, _CHUNK_SIZE)
    if not kept:
        return None
    selected = run.options.product_ids
    results = [(item, source.read_item(item.raw)) for item in kept]
    if selected is not None:
        results = [(item, result) for item, result in results if result.external_id in selected]
    accepted = [(item, product) for item, product in results if not isinstance(product, RejectedItem)]
    rejected_again = Counter(result.reason for _, result in results if isinstance(result, RejectedItem))
    counts: Counter[str] = Counter()
    if accepted:
        scrape_id = kept[0].scrape_id
        ingest.stage(cursor, scrape_id, [(item.position, product) for item, product in accepted])
        ids = sorted({product.external_id for _, product in accepted})
        if source.prices_are_fils:
            read_prices(cursor, judged_unit(scrapes.counts(cursor, scrape_id)), scrape_id, ids)
        counts = merged_counts(ingest.merge(cursor, scrape_id, run.brand, run.source_name, run.index_scope, ids))
        rejected_items.remove(cursor, [item.id for item, _ in accepted])
    return kept[-1].id, len(results), counts, rejected_again
