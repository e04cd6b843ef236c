"""`retry_failed` for collecting: items that the last scrape could not read, read again after an upgrade.

The source is not asked; what still can't be read stays where it is.
"""

from collections import Counter

from unde_catalog.stages.raw_products.collect_run import CollectRun, merged_counts
from unde_catalog.stores.db.database import Cursor
from unde_catalog.stores.staging.products import ingest, rejected_items
from unde_catalog.stores.staging.products.product import RejectedItem

_AT_ONCE = 500


def rejected(run: CollectRun) -> None:
    """Merge those of the last finished scrape's rejected items that can be read now."""
    after, looked_at = 0, 0
    while (chunk := run.db.run(_chunk, run, after)) is not None:
        after, size, counts, still = chunk
        looked_at += size
        run.report.done += sum(counts.values()) - counts["repeated"]
        run.report.counts.update(counts)
        run.report.given_up.update(still)
    read = looked_at - run.report.given_up.total()
    run.note(f"of {looked_at} rejected items of the last scrape, {read} could be read now")


def _chunk(cursor: Cursor, run: CollectRun, after: int) -> tuple[int, int, Counter[str], Counter[str]] | None:
    """The last id of the chunk, its size, what was merged and what is still rejected, by reason; None at the end."""
    kept = rejected_items.of_last_scrape(cursor, run.brand, after, _AT_ONCE)
    if not kept:
        return None
    wanted = run.options.product_ids
    read = [(one, run.source.read_item(one.raw)) for one in kept]
    if wanted is not None:
        read = [(one, result) for one, result in read if result.external_id in wanted]
    good = [(one, product) for one, product in read if not isinstance(product, RejectedItem)]
    still = Counter(result.reason for _, result in read if isinstance(result, RejectedItem))
    counts: Counter[str] = Counter()
    if good:
        scrape_id = kept[0].scrape_id
        ingest.stage(cursor, scrape_id, [(one.position, product) for one, product in good])
        ids = sorted({product.external_id for _, product in good})
        counts = merged_counts(ingest.merge(cursor, scrape_id, run.brand, run.source_name, run.index_scope, ids))
        rejected_items.remove(cursor, [one.id for one, _ in good])
    return kept[-1].id, len(read), counts, still
