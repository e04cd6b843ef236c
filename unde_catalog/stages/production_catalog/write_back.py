"""Writes the outcome of a merged publication back to staging, page by page.

A run that was killed in between leaves the rest to the next run; repeating a page is harmless.
"""

from unde_catalog.stores.db.database import Cursor, Database
from unde_catalog.stores.production import incoming, publications
from unde_catalog.stores.production.incoming import UnsettledProduct
from unde_catalog.stores.production.publications import Claim
from unde_catalog.stores.staging import publishing
from unde_catalog.stores.staging.due_work import work_queue
from unde_catalog.stores.staging.due_work.work_queue import Lease, LeaseOutcome, Settlement
from unde_catalog.stores.staging.publishing import Published, SyncStatus
from unde_catalog.worker.report import StageReport

_STAGE = "production_catalog"
_PAGE_SIZE = 1_000

# A later scrape of a `not_seen` product changes only scraped_at, which makes nothing due, so it is retried by itself.
_RETRIED = ("not_seen", "unexpected_error")

_STATUS: dict[incoming.Verdict, SyncStatus] = {
    "publish": "synced",
    "left": "synced",
    "skip": "skipped",
    "error": "error",
}


def settle(db: Database, production: Database, claim: Claim, publication: int, report: StageReport) -> None:
    """Write the statuses and due rows of a publication's products, count them, and close the publication."""
    last = 0
    while page := production.run(incoming.unsettled_products, publication, last, _PAGE_SIZE):
        last = page[-1].product_id
        accepted = db.run(_settle_page, page)
        for one in page:
            _count(report, one, one.product_id in accepted)
        production.run(publications.renew, claim)
    production.run(publications.settled, claim, publication)


def _settle_page(cursor: Cursor, page: list[UnsettledProduct]) -> dict[int, bool]:
    """The products whose lease was still valid, each with whether no newer change is waiting."""
    accepted = work_queue.finish(cursor, _STAGE, [_outcome(one) for one in page])
    publishing.record(
        cursor,
        [
            Published(
                one.product_id,
                _STATUS[one.verdict] if accepted[one.product_id] else None,
                one.verdict == "publish",
                one.price,
                one.currency,
                one.loaded_at,
            )
            for one in page
            if one.product_id in accepted
        ],
    )
    return accepted


def _outcome(one: UnsettledProduct) -> LeaseOutcome:
    lease = Lease(one.product_id, one.external_id, one.lease_token, 0, 0, None, 0.0)
    kind: Settlement = "done"
    if one.reason is not None:
        kind = "later" if one.reason in _RETRIED else "given_up"
    return LeaseOutcome(lease, kind, one.reason, work_queue.storable(one.detail))


def _count(report: StageReport, one: UnsettledProduct, accepted: bool) -> None:
    if not accepted:
        report.superseded += 1
    elif one.reason is None:
        report.done += 1
    else:
        (report.later if one.reason in _RETRIED else report.given_up)[one.reason] += 1
        report.add_example(one.reason, one.external_id, one.detail)
